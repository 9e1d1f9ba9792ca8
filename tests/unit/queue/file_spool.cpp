#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <queue/envelope_text.hpp>
#include <queue/file_spool.hpp>
#include <queue/notice.hpp>
#include <queue/queue.hpp>

using namespace postern;
using namespace postern::queue;

namespace {

struct Quiet : Log {
    std::vector<std::string> ids;
    void write(Severity, std::string_view id, std::string_view) override { ids.emplace_back(id); }
};

struct Fixture {
    Fixture() {
        char path[] = "/tmp/postern-spool-XXXXXX";
        folder = ::mkdtemp(path);
        spool = std::move(*open_file_spool(folder));
    }
    ~Fixture() { std::filesystem::remove_all(folder); }
    QueuedMessage message(std::string sender = "a@a.example") const {
        QueuedMessage one;
        one.id = spool->new_id();
        one.received = now;
        one.sender = std::move(sender);
        one.size = 14;
        for (const auto* domain : {"b.example", "c.example"}) {
            QueuedRecipient recipient;
            recipient.address = std::string("x y@") + domain;
            recipient.domain = domain;
            recipient.next_attempt = now;
            one.recipients.push_back(recipient);
        }
        return one;
    }
    std::string store(const QueuedMessage& one) const {
        auto incoming = std::move(*spool->begin());
        REQUIRE(incoming->append("Subject: x\r\n\r\n").has_value());
        REQUIRE(commit_and_wait(*incoming, one).has_value());
        return one.id;
    }
    Queue queue() {
        Queue::Parts parts{*spool, log, counters, {}, {}, "mail1.contoso.com", [this] { return now; }, {}, {}};
        parts.router = [](const QueuedMessage&, const QueuedRecipient& one) {
            return Destination{"smtp:Internet", one.domain, one.requirement};
        };
        parts.retry = [](const Destination&) { return config::Retry{}; };
        return Queue(std::move(parts));
    }
    std::string folder;
    std::unique_ptr<Spool> spool;
    Quiet log;
    Counters counters;
    Time now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    // What a start finds.
    static std::vector<Waiting> recovered(Spool& from, std::vector<std::string>& damaged) {
        std::vector<Waiting> waiting;
        REQUIRE(from.recover([&](Waiting one) { waiting.push_back(std::move(one)); }, damaged).has_value());
        return waiting;
    }
    std::vector<std::string> damaged;
};

smtp::RecipientOutcome outcome(VerdictKind kind, std::string token = {}) {
    return {kind, 250, "2.0.0", "said", std::move(token)};
}

}  // namespace

TEST_CASE("an envelope survives its text, whatever stands in it", "[spool]") {
    Fixture f;
    auto one = f.message("a b%\n@a.example");
    one.recipients[0].text = "550 5.1.1 no\r\nrecipient evil";
    const auto again = parse_envelope(to_text(one));
    REQUIRE(again.has_value());
    CHECK(again->sender == one.sender);
    CHECK(again->received == one.received);
    REQUIRE(again->recipients.size() == 2);
    CHECK(again->recipients[0].text == one.recipients[0].text);
}

TEST_CASE("an envelope cut or changed anywhere is not taken for whole", "[spool]") {
    Fixture f;
    const auto text = to_text(f.message());
    for (std::size_t i = 0; i < text.size(); ++i) {
        CHECK_FALSE(parse_envelope(text.substr(0, i)).has_value());
        auto flipped = text;
        flipped[i] = static_cast<char>(flipped[i] ^ 1);
        CHECK_FALSE(parse_envelope(flipped).has_value());
    }
}

TEST_CASE("what was committed is there after a restart, what was not is gone", "[spool]") {
    Fixture f;
    const auto id = f.store(f.message());
    auto unfinished = std::move(*f.spool->begin());
    REQUIRE(unfinished->append("half").has_value());
    auto again = std::move(*open_file_spool(f.folder));
    const auto waiting = Fixture::recovered(*again, f.damaged);
    REQUIRE(waiting.size() == 1);
    CHECK(waiting.front().id == id);
    CHECK(f.damaged.empty());
}

TEST_CASE("damaged and foreign files are set aside and stop nothing else", "[spool]") {
    Fixture f;
    const auto good = f.store(f.message()), torn = f.store(f.message()), cut = f.store(f.message());
    std::filesystem::resize_file(f.folder + "/queue/" + torn + ".env", 40);
    std::filesystem::resize_file(f.folder + "/queue/" + cut + ".msg", 3);
    std::ofstream(f.folder + "/queue/stray") << "x";
    const auto waiting = Fixture::recovered(*f.spool, f.damaged);
    REQUIRE(waiting.size() == 1);
    CHECK(waiting.front().id == good);
    CHECK(f.damaged.size() == 3);
    CHECK(std::filesystem::exists(f.folder + "/damaged/" + torn + ".msg"));
}

TEST_CASE("delivered recipients are dropped durably, deferred ones wait their time", "[queue]") {
    Fixture f;
    auto queue = f.queue();
    auto incoming = std::move(*f.spool->begin());
    REQUIRE(incoming->append("Subject: x\r\n\r\n").has_value());
    REQUIRE(queue.submit_and_wait(std::move(incoming), f.message()).has_value());
    REQUIRE(queue.due(f.now).size() == 2);
    for (const auto& destination : queue.due(f.now)) {
        const auto batch = queue.claim(destination, f.now);
        REQUIRE(batch);
        CHECK_FALSE(queue.claim(destination, f.now));
        queue.settle_and_wait(*batch,
                              {outcome(destination.domain == "b.example" ? VerdictKind::proceed : VerdictKind::defer)},
                              "r", "none");
    }
    CHECK(queue.due(f.now).empty());
    CHECK(queue.due(f.now + std::chrono::seconds(61)).size() == 1);
    auto restarted = f.queue();
    REQUIRE(restarted.recover().has_value());
    const auto due = restarted.due(f.now + std::chrono::seconds(61));
    REQUIRE(due.size() == 1);
    CHECK(due.front().domain == "c.example");
}

TEST_CASE("a refused recipient gives one notice, and a refused notice is held", "[queue]") {
    Fixture f;
    auto queue = f.queue();
    auto one = f.message();
    one.recipients.pop_back();
    auto incoming = std::move(*f.spool->begin());
    REQUIRE(incoming->append("Subject: x\r\n\r\n").has_value());
    REQUIRE(queue.submit_and_wait(std::move(incoming), one).has_value());
    auto batch = queue.claim({"smtp:Internet", "b.example", ""}, f.now);
    queue.settle_and_wait(*batch, {outcome(VerdictKind::reject)}, "r", "none");
    REQUIRE(queue.size() == 1);
    batch = queue.claim({"smtp:Internet", "a.example", ""}, f.now);
    REQUIRE(batch);
    CHECK(batch->message.sender.empty());
    queue.settle_and_wait(*batch, {outcome(VerdictKind::reject)}, "r", "none");
    CHECK(queue.size() == 1);
    CHECK(queue.due(f.now + std::chrono::hours(1000)).empty());
    CHECK(f.log.ids.back() == "held");
}

TEST_CASE("only opportunistic mail is tried in clear after a failed handshake", "[queue]") {
    for (const auto* requirement : {"", "mutual"}) {
        Fixture f;
        auto queue = f.queue();
        auto one = f.message();
        one.recipients.pop_back();
        one.recipients[0].requirement = requirement;
        auto incoming = std::move(*f.spool->begin());
        REQUIRE(incoming->append("Subject: x\r\n\r\n").has_value());
        REQUIRE(queue.submit_and_wait(std::move(incoming), one).has_value());
        const Destination destination{"smtp:Internet", "b.example", requirement};
        auto batch = queue.claim(destination, f.now);
        queue.settle_and_wait(*batch, {outcome(VerdictKind::defer, "handshake-failed")}, "r", "none");
        batch = queue.claim(destination, f.now + std::chrono::hours(1));
        REQUIRE(batch);
        CHECK(batch->clear_allowed == std::string(requirement).empty());
    }
}

TEST_CASE("what went over mutual TLS comes back whole only where the way back demands mutual TLS, too", "[queue]") {
    Fixture f;
    std::vector<Reported> failed(1), delayed(1);
    delayed.front().action = Action::delayed;
    auto one = f.message();
    f.store(one);
    CHECK(returned_part(*f.spool, one, failed, false).whole);
    one.domain_secured = true;
    CHECK_FALSE(returned_part(*f.spool, one, failed, false).whole);
    CHECK(returned_part(*f.spool, one, failed, true).whole);
    CHECK_FALSE(returned_part(*f.spool, one, delayed, true).whole);
    one.domain_secured = false;
    one.recipients[0].requirement = "mutual";
    CHECK_FALSE(returned_part(*f.spool, one, failed, false).whole);
}
