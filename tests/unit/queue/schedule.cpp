#include <catch2/catch.hpp>
#include <queue/schedule.hpp>

using namespace postern;
using namespace postern::queue;

namespace {

const Time now = Time(std::chrono::seconds(1'700'000'000));

struct Fixture {
    std::string connector = "Internet";
    Schedule schedule{[this](const Waiting::Due& due) {
        return Destination{"smtp:" + (due.route.empty() ? connector : due.route), due.domain, due.requirement};
    }};
    std::uint64_t count = 0;
    MessageKey put(std::vector<std::string> domains, Time at = now) {
        const MessageKey key{++count, 0};
        Waiting waiting{id_of(key), now, false, {}};
        for (auto& domain : domains) waiting.due.push_back({domain, "", "", at});
        schedule.add(key, waiting, now);
        return key;
    }
    std::vector<std::string> due(Time at = now) const {
        std::vector<std::string> found;
        schedule.due(at, [&](const Destination& destination, std::size_t) {
            found.push_back(destination.domain);
            return true;
        });
        return found;
    }
    static Destination to(const std::string& domain) { return {"smtp:Internet", domain, ""}; }
};

constexpr auto in_a_minute = [](unsigned) { return now + std::chrono::minutes(1); };

}  // namespace

TEST_CASE("the longest due comes first, what is not due yet later", "[schedule]") {
    Fixture f;
    f.put({"later.example"}, now + std::chrono::seconds(30));
    const auto second = f.put({"b.example"}), first = f.put({"b.example"}, now - std::chrono::seconds(5));
    CHECK(f.due() == std::vector<std::string>{"b.example"});
    CHECK(f.schedule.next_due(now) == now + std::chrono::seconds(30));
    CHECK(f.schedule.claim(Fixture::to("b.example"), now)->key == first);
    CHECK(f.schedule.claim(Fixture::to("b.example"), now)->key == second);
    CHECK_FALSE(f.schedule.claim(Fixture::to("b.example"), now));
    CHECK_FALSE(f.schedule.claim(Fixture::to("later.example"), now));
    CHECK(f.schedule.claim(Fixture::to("later.example"), now + std::chrono::seconds(30)));
}

TEST_CASE("a message for two destinations is claimed for each, and goes when both are done with", "[schedule]") {
    Fixture f;
    const auto key = f.put({"b.example", "c.example"});
    const auto b = f.schedule.claim(Fixture::to("b.example"), now), c = f.schedule.claim(Fixture::to("c.example"), now);
    REQUIRE(b);
    REQUIRE(c);
    f.schedule.settle(*b, {id_of(key), now, false, {{"c.example", "", "", now}}}, now);
    CHECK(f.due().empty());
    CHECK(f.schedule.in_flight(key));
    f.schedule.unclaim(*c, now);
    CHECK(f.due() == std::vector<std::string>{"c.example"});
    CHECK_FALSE(f.schedule.tracks(key));  // it waits for one way alone
    f.schedule.adopt(key, {id_of(key), now, false, {{"c.example", "", "", now}}});
    f.schedule.erase(key);
    CHECK(f.due().empty());
    CHECK(f.schedule.destinations().empty());
}

TEST_CASE("a destination that is put off is left alone, then tried by one message until one gets through",
          "[schedule]") {
    Fixture f;
    for (int i = 0; i < 10; ++i) f.put({"dead.example"});
    f.put({"alive.example"});
    const auto first = f.schedule.claim(Fixture::to("dead.example"), now);
    f.schedule.put_off(Fixture::to("dead.example"), in_a_minute, "nobody there", now);
    f.schedule.unclaim(*first, now);
    CHECK(f.due() == std::vector<std::string>{"alive.example"});
    CHECK_FALSE(f.schedule.claim(Fixture::to("dead.example"), now));
    const auto later = now + std::chrono::minutes(1);
    const auto probe = f.schedule.claim(Fixture::to("dead.example"), later);
    REQUIRE(probe);
    CHECK_FALSE(f.schedule.claim(Fixture::to("dead.example"), later));
    f.schedule.works(Fixture::to("dead.example"));
    CHECK(f.schedule.claim(Fixture::to("dead.example"), later));
}

TEST_CASE("new mail for a destination that is put off has it tried again soon", "[schedule]") {
    Fixture f;
    f.put({"dead.example"});
    const auto first = f.schedule.claim(Fixture::to("dead.example"), now);
    f.schedule.put_off(Fixture::to("dead.example"), in_a_minute, "nobody there", now);
    f.schedule.unclaim(*first, now);
    f.put({"dead.example"});
    CHECK_FALSE(f.schedule.claim(Fixture::to("dead.example"), now));
    CHECK(f.schedule.claim(Fixture::to("dead.example"), now + std::chrono::seconds(5)));
}

TEST_CASE("a held message is not due until it is let go", "[schedule]") {
    Fixture f;
    const auto key = f.put({"b.example"});
    Waiting waiting{id_of(key), now, false, {{"b.example", "", "", now}}};
    f.schedule.adopt(key, waiting);
    waiting.held = true;
    f.schedule.put(key, waiting, now);
    CHECK(f.due().empty());
    f.schedule.adopt(key, waiting);
    const auto claim = f.schedule.claim_all(key);
    REQUIRE(claim);
    waiting.held = false;
    f.schedule.settle(*claim, waiting, now);
    CHECK(f.due().size() == 1);
}

TEST_CASE("a reload leads ways elsewhere, what is in flight comes back to where they lead then", "[schedule]") {
    Fixture f;
    const auto first = f.put({"b.example"}), second = f.put({"b.example"});
    const auto claim = f.schedule.claim(Fixture::to("b.example"), now);
    f.connector = "Hub";
    f.schedule.reroute(now);
    CHECK_FALSE(f.schedule.claim(Fixture::to("b.example"), now));
    f.schedule.unclaim(*claim, now);
    const Destination hub{"smtp:Hub", "b.example", ""};
    CHECK(f.schedule.claim(hub, now)->key == first);
    CHECK(f.schedule.claim(hub, now)->key == second);
    REQUIRE(f.schedule.destinations().size() == 1);
    CHECK(f.schedule.destinations().front().in_flight == 2);
}

TEST_CASE("what a hundred thousand wait for costs others nothing", "[schedule]") {
    Fixture f;
    for (int i = 0; i < 100000; ++i) f.put({"dead.example"});
    const auto claim = f.schedule.claim(Fixture::to("dead.example"), now);
    f.schedule.put_off(Fixture::to("dead.example"), in_a_minute, "nobody there", now);
    f.schedule.unclaim(*claim, now);
    // Counted, not timed: looks at due destinations and claims elsewhere pass the dead one by.
    for (int i = 0; i < 1000; ++i) {
        const auto key = f.put({"alive.example"});
        CHECK(f.due() == std::vector<std::string>{"alive.example"});
        REQUIRE(f.schedule.claim(Fixture::to("alive.example"), now)->key == key);
        f.schedule.erase(key);
    }
    CHECK(f.schedule.size() == 100000);
}

TEST_CASE("a rate lets through so many a minute, evenly, whatever waits", "[schedule]") {
    Fixture f;
    for (int i = 0; i < 5; ++i) f.put({"b.example"});
    const auto to = Fixture::to("b.example");
    CHECK(f.schedule.claim(to, now, 120));
    CHECK(f.schedule.claim(to, now, 120));
    CHECK_FALSE(f.schedule.claim(to, now, 120));
    CHECK(f.due().empty());
    CHECK(f.schedule.next_due(now) == now + std::chrono::seconds(1));
    CHECK(f.schedule.claim(to, now + std::chrono::seconds(1), 20));
    CHECK_FALSE(f.schedule.claim(to, now + std::chrono::seconds(3), 20));
    CHECK(f.schedule.claim(to, now + std::chrono::seconds(4), 20));
    CHECK(f.schedule.claim(to, now + std::chrono::seconds(4), 0));
}

TEST_CASE("what an administrator changes by hand counts, and nothing of it is left when it is gone", "[schedule]") {
    Fixture f;
    const auto later = now + std::chrono::hours(1);
    const auto key = f.put({"b.example"}, later);
    Waiting waiting{id_of(key), now, false, {{"b.example", "", "", later}}};
    CHECK_FALSE(f.schedule.tracks(key));
    f.schedule.adopt(key, waiting);
    waiting.due.front().next_attempt = now;
    f.schedule.put(key, waiting, now);
    const auto claim = f.schedule.claim(Fixture::to("b.example"), now);
    REQUIRE(claim);
    CHECK(claim->key == key);
    CHECK_FALSE(f.schedule.claim(Fixture::to("b.example"), later));  // its older item counts no more
    f.schedule.erase(key);
    CHECK(f.schedule.size() == 0);
    CHECK(f.schedule.destinations().empty());
    CHECK_FALSE(f.schedule.claim(Fixture::to("b.example"), later));
}
