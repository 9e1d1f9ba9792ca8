// Questions, flights, cache: over real HTTP (nginx, and the fetcher of proxy-winhttp).
#include <catch2/catch.hpp>
#include <crl/checker.hpp>
#include <crl/files.hpp>
#include <crl/verbs.hpp>
#include <postern/testing/fake_host.hpp>
#include <proxy-winhttp/fetcher.hpp>
#include <proxy-winhttp/proxy_file.hpp>
#include <support/lists.hpp>
#include <support/loopback.hpp>

using namespace postern;
using namespace postern::crl;
using test::Authority;
using test::CertificateTerms;
using test::ListTerms;

namespace {

struct World {
    explicit World(bool serving = true) {
        nginx = std::make_unique<test::Nginx>(folder.path("web"));
        url = nginx->url("/ca.crl");
        host.offer<ProxyResolver>(proxy);
        host.offer<Fetcher>(fetcher, "http");
        CertificateTerms ca;
        ca.name = "Root";
        ca.ca = true;
        root = std::make_unique<Authority>(ca);
        CertificateTerms leaf;
        leaf.name = "mail1.contoso.com";
        leaf.crl_urls = {url};
        edge = std::make_unique<Authority>(leaf, root.get());
        Settings settings;
        settings.hosts = {"127.0.0.1"};
        settings.ports = {nginx->port()};
        settings.allow_private = true;
        settings.backoff = Milliseconds(60000);
        flights.configure(settings);
        if (serving) publish({});
    }
    void publish(const ListTerms& terms) {
        const auto der = make_list(*root, terms);
        test::write_file(folder.path("web/ca.crl"), std::string(der.begin(), der.end()));
    }
    RevocationRequest request(bool may_fetch = true) const {
        RevocationRequest one;
        one.path = {edge->der(), root->der()};
        one.may_fetch = may_fetch;
        one.at = host.now();
        return one;
    }
    CertificateRevocation ask(bool may_fetch = true) {
        auto answers = test::wait_for(checker.check(request(may_fetch)));
        REQUIRE(answers);
        REQUIRE(answers->size() == 1);
        return answers->front();
    }
    std::size_t fetched() const {
        std::size_t count = 0;
        for (const auto& line : host.logged) count += line.starts_with("crl-fetched");
        return count;
    }
    VerbResult run(std::vector<std::string> words) { return *test::wait_for(verbs.run(std::move(words))); }

    bool make_folders() {
        host.state = folder.path("state");
        std::filesystem::create_directories(host.state);
        std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
        return std::filesystem::create_directories(folder.path("web"));
    }

    test::TemporaryFolder folder;
    test::FakeHost host;
    bool prepared = make_folders();  // before the store asks for its folder
    proxy_winhttp::ProxyFile proxy{host};
    proxy_winhttp::HttpFetcher fetcher{host};
    std::unique_ptr<test::Nginx> nginx;
    std::string url;
    std::unique_ptr<Authority> root, edge;
    ListStore store{host};
    Flights flights{host, store};
    Checker checker{store, flights};
    Readers readers;
    CrlVerbs verbs{host, store, flights, readers};
};

}  // namespace

TEST_CASE("a list is fetched only where that is allowed, then answers from memory", "[crl]") {
    World world;
    CHECK(world.ask(false).reason == "crl-unreachable");
    const auto before = world.store.epoch();
    CHECK(world.ask().standing == RevocationStanding::good);
    CHECK(world.store.epoch() != before);
    world.nginx.reset();
    CHECK(world.ask(false).standing == RevocationStanding::good);
}

TEST_CASE("an unreachable server is unknown, is left alone, and is asked again by crl refresh", "[crl]") {
    World world(false);
    const auto first = world.ask();
    CHECK(first.reason == "crl-unreachable");
    CHECK(first.sentence.find(world.url) != std::string::npos);
    CHECK(first.sentence.find("404") != std::string::npos);
    world.publish({});
    const auto second = world.ask();
    CHECK(second.reason == "crl-unreachable");
    CHECK(second.sentence.find("next try after") != std::string::npos);
    const auto refreshed = world.run({"crl", "refresh"});
    CHECK(refreshed.status == 0);
    CHECK(refreshed.out.find("good    " + world.url) != std::string::npos);
    CHECK(world.ask(false).standing == RevocationStanding::good);
}

TEST_CASE("back-off ends by itself", "[crl]") {
    World world(false);
    CHECK(world.ask().reason == "crl-unreachable");
    world.publish({});
    world.host.set_clock(world.host.now() + std::chrono::seconds(61));
    CHECK(world.ask().standing == RevocationStanding::good);
}

TEST_CASE("a list is replaced by a newer one alone, and only by one that its issuer signed", "[crl]") {
    World world;
    ListTerms terms;
    terms.number = 5;
    world.publish(terms);
    CHECK(world.ask().standing == RevocationStanding::good);
    terms.number = 4;
    terms.revoked = {world.edge.get()};
    world.publish(terms);
    const auto older_one = world.run({"crl", "refresh"});
    CHECK(older_one.status == 1);
    CHECK(older_one.out.find("older than") != std::string::npos);
    CHECK(world.ask(false).standing == RevocationStanding::good);
    test::write_file(world.folder.path("web/ca.crl"), "<html>It works!</html>");
    CHECK(world.run({"crl", "refresh"}).status == 1);
    CertificateTerms ca;
    ca.name = "Root";
    ca.ca = true;
    const Authority impostor(ca);
    ListTerms revoking;
    revoking.revoked = {world.edge.get()};
    revoking.number = 9;
    const auto forged = make_list(impostor, revoking);
    test::write_file(world.folder.path("web/ca.crl"), std::string(forged.begin(), forged.end()));
    const auto refused = world.run({"crl", "refresh", world.url});
    CHECK(refused.status == 1);
    CHECK(refused.out.find("not believed") != std::string::npos);
    CHECK(world.ask(false).standing == RevocationStanding::good);
    const auto genuine = make_list(*world.root, revoking);
    test::write_file(world.folder.path("web/ca.crl"), std::string(genuine.begin(), genuine.end()));
    CHECK(world.run({"crl", "refresh"}).status == 0);
    CHECK(world.ask(false).standing == RevocationStanding::revoked);
}

TEST_CASE("what came and was not believed is unverifiable", "[crl]") {
    World world(false);
    test::write_file(world.folder.path("web/ca.crl"), "no list");
    CHECK(world.ask().reason == "crl-unverifiable");
}

TEST_CASE("the cache survives a restart; a damaged file is set aside", "[crl]") {
    World world;
    CHECK(world.ask().standing == RevocationStanding::good);
    world.nginx.reset();
    {
        ListStore again(world.host);
        again.load();
        Checker checker(again, world.flights);
        const auto answers = test::wait_for(checker.check(world.request(false)));
        CHECK(answers->front().standing == RevocationStanding::good);
    }
    const auto file = DiskCache(world.host.state).file_of(world.url);
    auto octets = test::read_file(file);
    octets[octets.size() - 5] ^= 1;
    test::write_file(file, octets);
    ListStore damaged(world.host);
    damaged.load();
    CHECK(damaged.slots().empty());
    CHECK(std::filesystem::exists(file + ".bad"));
    CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("all who wait for one list share one flight", "[crl]") {
    // A fetcher that holds its answer until all have asked.
    struct Held : Fetcher {
        Pending<FetchAnswer> fetch(FetchRequest) override {
            ++asked;
            return answer.pending();
        }
        std::atomic<int> asked{0};
        Answer<FetchAnswer> answer = Answer<FetchAnswer>::make();
    } held;
    World world;
    world.host.offer<Fetcher>(held, "http");
    std::vector<Pending<std::vector<CertificateRevocation>>> waiting;
    for (int i = 0; i < 100; ++i) waiting.push_back(world.checker.check(world.request()));
    CHECK(held.asked == 1);
    FetchAnswer answer;
    answer.body = make_list(*world.root, {});
    held.answer.give(answer);
    for (auto& one : waiting) {
        const auto answers = test::wait_for(std::move(one));
        REQUIRE(answers);
        CHECK(answers->front().standing == RevocationStanding::good);
    }
}

TEST_CASE("without a fetcher nothing is fetched, and what is here still counts", "[crl]") {
    World world;
    test::FakeHost bare;
    ListStore store(bare);
    Flights flights(bare, store);
    Checker checker(store, flights);
    const auto answers = test::wait_for(checker.check(world.request()));
    CHECK(answers->front().reason == "crl-unreachable");
    CHECK(answers->front().sentence.find("proxy-winhttp") != std::string::npos);
    const auto der = make_list(*world.root, {});
    test::write_file(world.folder.path("ca.der"), std::string(der.begin(), der.end()));
    int problems = 0;
    store.replace_files(
        read_files({world.folder.path("ca.der"), world.folder.path("gone")}, [&](auto) { ++problems; }));
    CHECK(problems == 1);
    CHECK(test::wait_for(checker.check(world.request(false)))->front().standing == RevocationStanding::good);
}

TEST_CASE("lists given with the question are the only ones that count", "[crl]") {
    World world;
    CHECK(world.ask().standing == RevocationStanding::good);
    auto request = world.request();
    request.only_explicit_crls = true;
    CHECK(test::wait_for(world.checker.check(request))->front().reason == "crl-unreachable");
    ListTerms terms;
    terms.revoked = {world.edge.get()};
    request.explicit_crls = {make_list(*world.root, terms)};
    CHECK(test::wait_for(world.checker.check(request))->front().standing == RevocationStanding::revoked);
}

TEST_CASE("a list is refreshed ahead of its end, and asked for only if it changed", "[crl]") {
    World world;
    CHECK(world.ask().standing == RevocationStanding::good);
    world.flights.refresh_due();
    CHECK(world.fetched() == 1);
    world.host.set_clock(world.host.now() + std::chrono::hours(23));
    world.flights.refresh_due();
    // The flight is awaited by joining it.
    CHECK(world.run({"crl", "refresh"}).status == 0);
    bool unchanged = false;
    for (const auto& line : world.host.logged) unchanged |= line.find("not modified") != std::string::npos;
    CHECK(unchanged);
}

TEST_CASE("the lists at hand are shown, also as JSON", "[crl]") {
    World world;
    CHECK(world.run({"crl", "list"}).out.find("no lists yet") == 0);
    world.ask();
    const auto shown = world.run({"crl", "list"}).out;
    CHECK(shown.find("good  " + world.url) == 0);
    CHECK(shown.find("issuer CN=Root, number 01, 0 entries") != std::string::npos);
    CHECK(world.run({"crl", "list", "--json"}).out.find("\"state\": \"good\"") != std::string::npos);
    CHECK(world.run({"crl", "lsit"}).status == 2);
}

// Partitions of the root's list at two addresses, one for the CA and one for the key that signs the CA's own list.
TEST_CASE("a list by another key is fetched, and then what tells that this key still stands; a delta beside", "[crl]") {
    World world(false);
    const auto terms_of = [](const std::string& name, bool is_ca, const std::string& url, unsigned usage = 0) {
        CertificateTerms terms;
        terms.name = name;
        terms.ca = is_ca;
        terms.crl_urls = {url};
        terms.key_usage = usage;
        return terms;
    };
    const auto a = world.nginx->url("/a.crl"), b = world.nginx->url("/b.crl"), own = world.nginx->url("/own.crl");
    const Authority issuing(terms_of("Issuing", true, a), world.root.get());
    const Authority list_key(terms_of("Issuing", false, b, GNUTLS_KEY_CRL_SIGN), world.root.get());
    const Authority below(terms_of("mail1.contoso.com", false, own), &issuing);
    const auto serve = [&](const std::string& name, const Bytes& der) {
        test::write_file(world.folder.path("web/" + name), std::string(der.begin(), der.end()));
    };
    ListTerms terms;
    terms.point = a;
    serve("a.crl", make_list(*world.root, terms));
    terms.point = b;
    serve("b.crl", make_list(*world.root, terms));
    ListTerms with_delta;
    with_delta.freshest = world.nginx->url("/delta.crl");
    serve("own.crl", make_list(list_key, with_delta));
    const auto ask = [&] {
        PooledRevocationRequest request;
        request.path.path = {below.der(), issuing.der(), world.root->der()};
        request.path.may_fetch = true;
        request.path.at = world.host.now();
        request.pool = {list_key.der()};
        auto answers = test::wait_for(world.checker.check_with_pool(std::move(request)));
        REQUIRE(answers);
        REQUIRE(answers->size() == 2);
        CHECK((*answers)[1].standing == RevocationStanding::good);
        return (*answers)[0];
    };
    CHECK(ask().standing == RevocationStanding::good);
    CHECK(world.fetched() == 3);  // the delta is not there yet, and the complete list stands without it
    ListTerms delta;
    delta.delta = true;
    delta.number = 2;
    delta.revoked = {&below};
    serve("delta.crl", make_list(list_key, delta));
    world.host.set_clock(world.host.now() + std::chrono::minutes(2));
    CHECK(ask().standing == RevocationStanding::revoked);
}
