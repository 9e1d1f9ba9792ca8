// What servers, CAs and time do wrong, and what must not come of it: endless fetching, a renewed key that locks its
// owner out, a hold that never ends, a flight that never lands. The fetcher here counts and answers at once.
#include <catch2/catch.hpp>
#include <crl/checker.hpp>
#include <crl/verbs.hpp>
#include <future>
#include <postern/testing/fake_host.hpp>
#include <stdexcept>
#include <support/lists.hpp>

using namespace postern;
using namespace postern::crl;
using test::Authority;
using test::CertificateTerms;
using test::ListTerms;

namespace {

constexpr auto url = "http://crl.example.com/ca.crl";

struct Server : Fetcher {
    Pending<FetchAnswer> fetch(FetchRequest request) override {
        std::lock_guard lock(mutex);
        ++flights;
        asked = request.url;
        if (throws) throw std::runtime_error("out of order");
        FetchAnswer answer;
        answer.body = body;
        return answer;
    }
    std::mutex mutex;
    int flights = 0;
    std::string asked;
    bool throws = false;
    Bytes body;
};

CertificateTerms ca() {
    CertificateTerms terms;
    terms.name = "Root";
    terms.ca = true;
    return terms;
}
CertificateTerms leaf(std::vector<std::string> urls = {url}) {
    CertificateTerms terms;
    terms.name = "mail1.contoso.com";
    terms.crl_urls = std::move(urls);
    return terms;
}

struct World {
    World() {
        host.offer<Fetcher>(server, "http");
        flights.configure({});
    }
    CertificateRevocation ask(const Authority& certificate, const Authority& issuer, bool may_fetch = true) {
        RevocationRequest one;
        one.path = {certificate.der(), issuer.der()};
        one.may_fetch = may_fetch;
        one.at = host.now();
        auto answers = test::wait_for(checker.check(std::move(one)));
        REQUIRE(answers);
        REQUIRE(answers->size() == 1);
        return answers->front();
    }
    void later(std::chrono::seconds time) { host.set_clock(host.now() + time); }

    Server server;
    test::FakeHost host;
    Authority root{ca()}, edge{leaf(), &root};
    ListStore store{host};
    Readers readers;
    Flights flights{host, store, &readers};
    Checker checker{store, flights, &readers};
    CrlVerbs verbs{host, store, flights, readers};
};

}  // namespace

TEST_CASE("a list that had ended when it came is not fetched again for each question", "[crl]") {
    World world;
    ListTerms ended;
    ended.begins = std::chrono::minutes(-600);
    ended.ends = std::chrono::minutes(-60);
    world.server.body = make_list(world.root, ended);
    for (int i = 0; i < 20; ++i) {
        CHECK(world.ask(world.edge, world.root).reason == "crl-stale");
        world.flights.refresh_due();
    }
    CHECK(world.server.flights == 1);
    // The alarm stands although the server answered, and refresh says that nothing got better.
    CHECK(world.host.alarms.count(std::string("crl-unreachable ") + url) == 1);
    const auto refreshed = *test::wait_for(world.verbs.run({"crl", "refresh"}));
    CHECK(refreshed.status == 1);
    CHECK(refreshed.out.find("ended") != std::string::npos);
    world.later(std::chrono::minutes(10));
    world.server.body = make_list(world.root, {});
    CHECK(world.ask(world.edge, world.root).standing == RevocationStanding::good);
    CHECK(world.host.alarms.empty());
}

TEST_CASE("a list of no use to the certificate is not fetched again for each question", "[crl]") {
    World world;
    ListTerms odd;
    odd.odd_critical = true;
    world.server.body = make_list(world.root, odd);
    for (int i = 0; i < 20; ++i) CHECK(world.ask(world.edge, world.root).reason == "crl-unverifiable");
    CHECK(world.server.flights == 1);
}

TEST_CASE("a CA that renews its key counts its lists anew, and both keys' certificates are judged", "[crl]") {
    World world;
    ListTerms many;
    many.number = 100;
    world.server.body = make_list(world.root, many);
    CHECK(world.ask(world.edge, world.root).standing == RevocationStanding::good);
    const Authority renewed(ca());
    const Authority fresh(leaf(), &renewed);
    world.server.body = make_list(renewed, {});
    // Although the URL was asked a moment ago: nobody hoped for this key's signature then.
    CHECK(world.ask(fresh, renewed).standing == RevocationStanding::good);
    CHECK(world.ask(world.edge, world.root, false).standing == RevocationStanding::good);
    CHECK(test::wait_for(world.verbs.run({"crl", "refresh"}))->status == 0);
}

TEST_CASE("the refresh of the old key's list does not keep the new key's from being fetched", "[crl]") {
    World world;
    world.server.body = make_list(world.root, {});
    CHECK(world.ask(world.edge, world.root).standing == RevocationStanding::good);
    const Authority renewed(ca());
    const Authority fresh(leaf(), &renewed);
    world.server.body = make_list(renewed, {});
    CHECK(test::wait_for(world.verbs.run({"crl", "refresh"}))->status == 1);
    CHECK(world.ask(fresh, renewed).standing == RevocationStanding::good);
}

TEST_CASE("a fetcher that throws fails the flight, and the next one is tried", "[crl]") {
    World world;
    world.server.throws = true;
    CHECK(world.ask(world.edge, world.root).reason == "crl-unreachable");
    world.server.throws = false;
    world.server.body = make_list(world.root, {});
    CHECK(test::wait_for(world.verbs.run({"crl", "refresh"}))->status == 0);
    CHECK(world.ask(world.edge, world.root, false).standing == RevocationStanding::good);
}

TEST_CASE("a list is judged off the thread that brought it", "[crl]") {
    struct Held : Fetcher {
        Pending<FetchAnswer> fetch(FetchRequest) override { return answer.pending(); }
        Answer<FetchAnswer> answer = Answer<FetchAnswer>::make();
    } held;
    World world;
    world.host.offer<Fetcher>(held, "http");
    RevocationRequest one;
    one.path = {world.edge.der(), world.root.der()};
    one.may_fetch = true;
    one.at = world.host.now();
    auto pending = world.checker.check(std::move(one));
    std::thread::id judged;
    std::promise<void> done;
    pending.on_ready([&] {
        judged = std::this_thread::get_id();
        done.set_value();
    });
    FetchAnswer answer;
    answer.body = make_list(world.root, {});
    held.answer.give(answer);
    REQUIRE(done.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    CHECK(judged != std::this_thread::get_id());
    CHECK(pending.take()->front().standing == RevocationStanding::good);
}

TEST_CASE("the scheme of a URL is compared without case", "[crl]") {
    World world;
    const Authority shouting(leaf({"HTTP://crl.example.com/ca.crl"}), &world.root);
    world.server.body = make_list(world.root, {});
    CHECK(world.ask(shouting, world.root).standing == RevocationStanding::good);
}

TEST_CASE("with lists given alone no certificate passes without one, short-lived or not", "[crl]") {
    World world;
    auto brief = leaf({});
    brief.begins = std::chrono::hours(-1);
    brief.ends = std::chrono::hours(6 * 24);
    const Authority short_one(brief, &world.root);
    RevocationRequest one;
    one.path = {short_one.der(), world.root.der()};
    one.at = world.host.now();
    one.only_explicit_crls = true;
    CHECK(test::wait_for(world.checker.check(one))->front().standing == RevocationStanding::unknown);
    one.source = RevocationSource::if_present;
    CHECK(test::wait_for(world.checker.check(one))->front().reason == "crl-unreachable");
    one.explicit_crls = {Bytes{0x30, 0x01}};
    CHECK(test::wait_for(world.checker.check(one))->front().reason == "crl-unverifiable");
    one.explicit_crls.push_back(make_list(world.root, {}));
    CHECK(test::wait_for(world.checker.check(one))->front().standing == RevocationStanding::good);
}

TEST_CASE("a hold ends with a newer list that no longer has it, a revocation never", "[crl]") {
    World world;
    ListTerms hold;
    hold.begins = std::chrono::minutes(-120);
    hold.revoked = {&world.edge};
    hold.reason = 6;
    const auto known = [](Bytes der) {
        auto list = x509::CertificateList::read(std::move(der));
        REQUIRE(list);
        return std::make_shared<const KnownList>(std::move(*list), "some.crl");
    };
    world.store.replace_files({known(make_list(world.root, hold)), known(make_list(world.root, {}))});
    CHECK(world.ask(world.edge, world.root, false).standing == RevocationStanding::good);
    // An older list without it says nothing against the hold.
    ListTerms before;
    before.begins = std::chrono::minutes(-600);
    world.store.replace_files({known(make_list(world.root, hold)), known(make_list(world.root, before))});
    CHECK(world.ask(world.edge, world.root, false).standing == RevocationStanding::on_hold);
    // A delta releases what an older list holds, and nothing that a newer one holds.
    const Authority& edge = world.edge;
    ListTerms release;
    release.delta = true;
    release.revoked = {&edge};
    release.reason = 8;
    world.store.replace_files({known(make_list(world.root, hold)), known(make_list(world.root, release))});
    CHECK(world.ask(edge, world.root, false).standing == RevocationStanding::good);
    release.begins = std::chrono::minutes(-300);
    world.store.replace_files({known(make_list(world.root, hold)), known(make_list(world.root, release))});
    CHECK(world.ask(edge, world.root, false).standing == RevocationStanding::on_hold);
    hold.reason = 1;
    world.store.replace_files({known(make_list(world.root, hold)), known(make_list(world.root, {}))});
    CHECK(world.ask(world.edge, world.root, false).standing == RevocationStanding::revoked);
}

TEST_CASE("what is evicted is the list that nobody asks for", "[crl]") {
    World world;
    const Authority left(leaf({"http://crl.example.com/left.crl"}), &world.root);
    const Authority right(leaf({"http://crl.example.com/right.crl"}), &world.root);
    const auto partition = [&](const std::string& name) {
        ListTerms terms;
        terms.point = "http://crl.example.com/" + name + ".crl";
        return make_list(world.root, terms);
    };
    world.server.body = partition("left");
    CHECK(world.ask(left, world.root).standing == RevocationStanding::good);
    world.store.limit(world.server.body.size() * 5 / 2);
    world.later(std::chrono::seconds(1));
    world.server.body = partition("right");
    CHECK(world.ask(right, world.root).standing == RevocationStanding::good);
    world.later(std::chrono::seconds(1));
    CHECK(world.ask(left, world.root, false).standing == RevocationStanding::good);
    world.later(std::chrono::seconds(1));
    world.server.body = make_list(world.root, {});
    const Authority third(leaf(), &world.root);
    CHECK(world.ask(third, world.root).standing == RevocationStanding::good);
    CHECK(world.store.find("http://crl.example.com/left.crl"));
    CHECK_FALSE(world.store.find("http://crl.example.com/right.crl"));
}

TEST_CASE("a list that ended and that nobody asks for is forgotten after a month, with its alarm", "[crl]") {
    World world;
    world.server.body = make_list(world.root, {});
    CHECK(world.ask(world.edge, world.root).standing == RevocationStanding::good);
    world.server.throws = true;
    world.later(std::chrono::hours(48));
    world.flights.refresh_due();
    CHECK(world.host.alarms.size() == 1);
    world.later(std::chrono::hours(29 * 24));
    CHECK(world.ask(world.edge, world.root, false).reason == "crl-stale");
    world.later(std::chrono::hours(29 * 24));
    world.flights.refresh_due();
    CHECK(world.store.find(url));
    world.later(std::chrono::hours(2 * 24));
    world.flights.refresh_due();
    CHECK_FALSE(world.store.find(url));
    CHECK(world.host.alarms.empty());
    CHECK(world.ask(world.edge, world.root, false).reason == "crl-unreachable");
}

TEST_CASE("a list that nobody asks for is no longer refreshed after a month", "[crl]") {
    World world;
    ListTerms lasting;
    lasting.ends = std::chrono::minutes(100 * 24 * 60);
    world.server.body = make_list(world.root, lasting);
    CHECK(world.ask(world.edge, world.root).standing == RevocationStanding::good);
    world.later(std::chrono::hours(95 * 24));
    world.flights.refresh_due();
    CHECK(world.server.flights == 1);
    CHECK(world.ask(world.edge, world.root, false).standing == RevocationStanding::good);
    world.flights.refresh_due();
    CHECK(world.server.flights == 2);
}

TEST_CASE("who still waits when the plugin ends is failed, not left waiting", "[crl]") {
    struct Silent : Fetcher {
        Pending<FetchAnswer> fetch(FetchRequest) override { return answer.pending(); }
        Answer<FetchAnswer> answer = Answer<FetchAnswer>::make();
    } silent;
    World world;
    world.host.offer<Fetcher>(silent, "http");
    RevocationRequest one;
    one.path = {world.edge.der(), world.root.der()};
    one.may_fetch = true;
    one.at = world.host.now();
    auto pending = world.checker.check(std::move(one));
    CHECK_FALSE(pending.ready());
    world.flights.stop();
    REQUIRE(pending.ready());
    CHECK_FALSE(pending.take());
    silent.answer.give({});  // too late, and harmless
}

TEST_CASE("of many lists on a server that is silent one costs a time-out, until it answers again", "[crl]") {
    struct Silent : Fetcher {
        Pending<FetchAnswer> fetch(FetchRequest request) override {
            std::lock_guard lock(mutex);
            asked.push_back(request.url);
            if (request.url.find("dead.example") != std::string::npos && dead)
                return Failure{std::string(host_unreachable), request.url + " (direct): no answer in time"};
            return Failure{"crl-unreachable", request.url + " (direct): status 404"};
        }
        std::mutex mutex;
        std::vector<std::string> asked;
        bool dead = true;
    } server;
    World world;
    world.host.offer<Fetcher>(server, "http");
    const auto ask = [&](const std::string& address) {
        const Authority one(leaf({address}), &world.root);
        const auto answer = world.ask(one, world.root);
        CHECK(answer.reason == "crl-unreachable");
        return answer.sentence;
    };
    CHECK(ask("http://dead.example/1.crl").find("no answer in time") != std::string::npos);
    const auto second = ask("http://DEAD.example/2.crl");
    CHECK(second.find("its server http://dead.example did not answer lately (next try after ") != std::string::npos);
    CHECK(server.asked.size() == 1);
    CHECK(world.store.find("http://DEAD.example/2.crl")->last_error.find("did not answer lately") != std::string::npos);
    ask("http://alive.example/1.crl");
    ask("http://alive.example/2.crl");  // a server that says no to one may have the next
    CHECK(server.asked.size() == 3);
    // Each silence doubles the pause: 30 s, 60 s.
    world.later(std::chrono::seconds(31));
    ask("http://dead.example/3.crl");
    CHECK(server.asked.size() == 4);
    world.later(std::chrono::seconds(31));
    ask("http://dead.example/4.crl");
    CHECK(server.asked.size() == 4);
    CHECK(test::wait_for(world.verbs.run({"crl", "refresh", "http://DEAD.example/2.crl"}))->status == 1);
    CHECK(server.asked.size() == 5);  // an operator's word goes through
    server.dead = false;
    world.later(std::chrono::seconds(61));
    ask("http://dead.example/5.crl");
    ask("http://dead.example/6.crl");
    CHECK(server.asked.size() == 7);
    // One list that hangs where others come is its own fault, not the server's.
    server.dead = true;
    ask("http://dead.example/7.crl");
    ask("http://dead.example/8.crl");
    CHECK(server.asked.size() == 9);
}
