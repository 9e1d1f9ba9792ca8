// The commands around lists, as an operator types them: crl show, crl import, proxy test; and the alarm that tells him
// in time.
#include <catch2/catch.hpp>
#include <crl/checker.hpp>
#include <crl/digest.hpp>
#include <crl/proxy_test.hpp>
#include <crl/verbs.hpp>
#include <postern/testing/fake_host.hpp>
#include <support/lists.hpp>
#include <support/loopback.hpp>

using namespace postern;
using namespace postern::crl;
using test::Authority;
using test::CertificateTerms;
using test::ListTerms;

namespace {

constexpr auto url = "http://crl.example.com/ca.crl";

struct Server : Fetcher {
    Pending<FetchAnswer> fetch(FetchRequest request) override {
        if (body.empty()) return Failure{"crl-unreachable", request.url + " (direct): no answer in time"};
        FetchAnswer answer;
        answer.body = body;
        answer.way = "by proxy proxy.contoso.com:3128";
        return answer;
    }
    Bytes body;
};

struct World {
    World() {
        host.offer<Fetcher>(server, "http");
        flights.configure({});
        CertificateTerms ca;
        ca.name = "Root";
        ca.ca = true;
        root = std::make_unique<Authority>(ca);
        CertificateTerms leaf;
        leaf.name = "mail1.contoso.com";
        leaf.crl_urls = {url};
        edge = std::make_unique<Authority>(leaf, root.get());
        test::write_file(folder.path("chain.pem"), edge->pem() + root->pem());
        test::write_file(folder.path("leaf.pem"), edge->pem());
        test::write_file(folder.path("root.pem"), root->pem());
    }
    std::string ask() {
        RevocationRequest one;
        one.path = {edge->der(), root->der()};
        one.may_fetch = true;
        one.at = host.now();
        const auto answer = test::wait_for(checker.check(std::move(one)))->front();
        sentence = answer.sentence;
        return answer.standing == RevocationStanding::good ? "good" : answer.reason;
    }
    VerbResult run(std::vector<std::string> words) { return *test::wait_for(verbs.run(std::move(words))); }
    VerbResult test_proxy(std::vector<std::string> words) {
        words.insert(words.begin(), {"proxy", "test"});
        return *test::wait_for(proxy_test.run(std::move(words)));
    }
    std::string file(const std::string& name, const ListTerms& terms) {
        const auto der = make_list(*root, terms);
        test::write_file(folder.path(name), std::string(der.begin(), der.end()));
        return folder.path(name);
    }
    void later(std::chrono::minutes time) { host.set_clock(host.now() + time); }

    std::string sentence;  // of the last answer
    test::TemporaryFolder folder;
    Server server;
    test::FakeHost host;
    std::unique_ptr<Authority> root, edge;
    std::string state = host.state = folder.path();
    ListStore store{host};
    Readers readers;
    Flights flights{host, store, &readers};
    Checker checker{store, flights, &readers};
    CrlVerbs verbs{host, store, flights, readers};
    ProxyTest proxy_test{flights, host};
};

bool says(const std::string& text, std::string_view part) {
    UNSCOPED_INFO(text);
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("crl show tells everything of one list, had or not", "[crl]") {
    World world;
    CHECK(world.run({"crl", "show", url}).status == 1);
    CHECK(world.ask() == "crl-unreachable");
    CHECK(world.sentence.find("no answer in time") != std::string::npos);
    CHECK(world.sentence.find("direct") == std::string::npos);  // our ways are no peer's business
    CHECK(says(world.run({"crl", "refresh"}).out, "(direct): no answer in time"));
    const auto missing = world.run({"crl", "show", url});
    CHECK(missing.status == 0);
    CHECK(says(missing.out, "state         missing"));
    CHECK(says(missing.out, "for           certificates of CN=Root"));
    CHECK(says(missing.out, "last error    (direct): no answer in time"));
    world.server.body = make_list(*world.root, {});
    CHECK(world.run({"crl", "refresh"}).status == 0);
    const auto shown = world.run({"crl", "show", url});
    CHECK(says(shown.out, "state         good"));
    CHECK(says(shown.out, "scope         complete"));
    CHECK(says(shown.out, "kept in       " + world.folder.path()));
    CHECK(says(world.run({"crl", "show", url, "--json"}).out, "\"for\": [\"CN=Root\"]"));
    CHECK(world.run({"crl", "show"}).status == 2);
}

TEST_CASE("a list is imported for the URL that hopes for its issuer", "[crl]") {
    World world;
    CHECK(says(world.run({"crl", "import", world.file("a.crl", {})}).err, "--issuer CERTIFICATE --url URL"));
    CHECK(world.ask() == "crl-unreachable");
    const auto taken = world.run({"crl", "import", world.folder.path("a.crl")});
    CHECK(taken.status == 0);
    CHECK(says(taken.out, "taken   number 01 of CN=Root"));
    CHECK(says(taken.out, url));
    CHECK(world.ask() == "good");
    CHECK(world.host.alarms.empty());
    ListStore again(world.host);  // it is kept on disk like a fetched one
    again.load();
    REQUIRE(again.find(url));
    CHECK(again.find(url)->list);
}

TEST_CASE("an older list is imported by --force alone, one by another key never", "[crl]") {
    World world;
    ListTerms newer;
    newer.number = 5;
    world.server.body = make_list(*world.root, newer);
    CHECK(world.ask() == "good");
    const auto older_file = world.file("older.crl", {});
    const auto refused = world.run({"crl", "import", older_file});
    CHECK(refused.status == 1);
    CHECK(says(refused.err, "older than"));
    CHECK(says(refused.err, "--force"));
    CHECK(world.store.find(url)->list->list.number == Bytes{5});
    CHECK(world.run({"crl", "import", older_file, "--force"}).status == 0);
    CHECK(world.store.find(url)->list->list.number == Bytes{1});
    CertificateTerms ca;
    ca.name = "Root";
    ca.ca = true;
    const Authority impostor(ca);
    const auto forged = make_list(impostor, newer);
    test::write_file(world.folder.path("forged.crl"), std::string(forged.begin(), forged.end()));
    CHECK(says(world.run({"crl", "import", world.folder.path("forged.crl"), "--force"}).err, "not signed by"));
    CHECK(world.store.find(url)->list->list.number == Bytes{1});
}

TEST_CASE("a list that was never needed is imported where issuer and URL are named", "[crl]") {
    World world;
    const auto file = world.file("a.crl", {});
    CHECK(says(world.run({"crl", "import", file, "--url", url}).err, "--issuer"));
    CHECK(world.run({"crl", "import", file, "--url", url, "--issuer", world.folder.path("root.pem")}).status == 0);
    world.server.body.clear();
    CHECK(world.ask() == "good");
    CHECK(says(world.run({"crl", "import", world.folder.path("none.crl")}).err, "none.crl"));
    CHECK(says(world.run({"crl", "import", world.folder.path("leaf.pem")}).err, "leaf.pem"));
    CHECK(says(world.run({"crl", "import", file, "--issuer", file}).err, "a.crl"));
    CHECK(world.run({"crl", "import"}).status == 2);
    CHECK(world.run({"crl", "import", file, "--frce"}).status == 2);
}

TEST_CASE("a partition is imported for its own distribution point", "[crl]") {
    World world;
    CHECK(world.ask() == "crl-unreachable");
    ListTerms elsewhere;
    elsewhere.point = "http://crl.example.com/other.crl";
    CHECK(world.run({"crl", "import", world.file("other.crl", elsewhere)}).status == 1);
    ListTerms here;
    here.point = url;
    CHECK(world.run({"crl", "import", world.file("here.crl", here)}).status == 0);
    CHECK(world.ask() == "good");
}

TEST_CASE("proxy test says which way each request went and what came back", "[crl]") {
    World world;
    world.server.body = make_list(*world.root, {});
    const auto whole = world.test_proxy({world.folder.path("chain.pem")});
    CHECK(whole.status == 0);
    CHECK(says(whole.out, "  " + std::string(url) + "\n    went    by proxy proxy.contoso.com:3128\n"));
    CHECK(says(whole.out, "list number 01 of CN=Root, 0 entries"));
    CHECK(says(whole.out,
               "good    signed by CN=Root (" + world.folder.path("chain.pem") + "); the certificate is not on it"));
    const auto alone = world.test_proxy({world.folder.path("leaf.pem")});
    CHECK(alone.status == 0);
    CHECK(says(alone.out,
               "its signature was not checked: no certificate of CN=Root is in the file or among the "
               "configured roots and intermediates; append it to the file"));
    // Where the configuration names the issuer, he is known; and whoever signed for another key is found out.
    world.host.trust = {{"", false, {world.folder.path("root.pem")}, {}}};
    CHECK(says(world.test_proxy({world.folder.path("leaf.pem")}).out,
               "good    signed by CN=Root (" + world.folder.path("root.pem") + ")"));
    CertificateTerms ca;
    ca.name = "Root";
    ca.ca = true;
    const Authority impostor(ca);
    world.server.body = make_list(impostor, {});
    const auto forged = world.test_proxy({world.folder.path("leaf.pem")});
    CHECK(forged.status == 1);
    CHECK(says(forged.out, "failed  the list was not believed: it is not signed by CN=Root as it stands in " +
                               world.folder.path("root.pem")));
    ListTerms revoking;
    revoking.revoked = {world.edge.get()};
    world.server.body = make_list(*world.root, revoking);
    CHECK(says(world.test_proxy({world.folder.path("chain.pem")}).out, "the certificate is on it"));
    CHECK(world.store.slots().empty());  // a test, which changes nothing
    world.server.body = {'n', 'o'};
    CHECK(world.test_proxy({world.folder.path("chain.pem")}).status == 1);
    world.server.body.clear();
    const auto failed = world.test_proxy({world.folder.path("leaf.pem"), "--json"});
    CHECK(failed.status == 1);
    CHECK(says(failed.out, "\"covered\": false"));
    CHECK(says(failed.out, "no answer in time"));
    CHECK(says(world.test_proxy({world.folder.path("root.pem")}).out, "nothing to fetch"));
    CHECK(world.test_proxy({world.folder.path("none.pem")}).status == 1);
    CHECK(world.test_proxy({}).status == 2);
}

TEST_CASE("crl list says for whom each list is, also after a restart", "[crl]") {
    World world;
    world.server.body = make_list(*world.root, {});
    CHECK(world.ask() == "good");
    CHECK(says(world.run({"crl", "list"}).out, "needed for nobody that was seen lately"));
    Occurrence shown{Event::partner_certificate, world.host.now()};
    shown.details = {{"partner", "woodgrovebank.com"},
                     {"direction", "in"},
                     {"connector", "Inet"},
                     {"certificate", digest(world.edge->der())}};
    const auto tell = [&] {
        const auto seen = sighting(shown);
        REQUIRE(seen);
        world.readers.shown(seen->first, seen->second, world.host.now());
    };
    tell();
    shown.details[1].value = "out";
    shown.details[2].value = "Internet";
    tell();
    // Ours is named by file in a connector.
    world.host.configured.connectors = {
        {ConnectorKind::receive, "Inet", "mail1.contoso.com", "edge", world.folder.path("leaf.pem"), true, true}};
    const auto expect = [](const VerbResult& listed) {
        CHECK(says(listed.out, "needed for mail of woodgrovebank.com (receive_connector Inet)\n"));
        CHECK(says(listed.out, "needed for mail to woodgrovebank.com (send_connector Internet)\n"));
        CHECK(says(listed.out, "needed for our own certificate (receive_connector Inet)\n"));
    };
    expect(world.run({"crl", "list"}));
    CHECK(says(world.run({"crl", "show", url}).out,
               "needed for    mail of woodgrovebank.com (receive_connector Inet)\n"));
    CHECK(says(world.run({"crl", "list", "--json"}).out,
               "{\"partner\": \"woodgrovebank.com\", \"connector\": \"receive_connector Inet\"}"));
    const auto file = world.folder.path("readers");
    CHECK(world.readers.save(file, world.host.now()));
    const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
    CHECK((std::filesystem::status(file).permissions() & others) == std::filesystem::perms::none);
    Readers again;
    again.load(file, world.host.now());
    CrlVerbs verbs{world.host, world.store, world.flights, again};
    expect(*test::wait_for(verbs.run({"crl", "list"})));
    Readers too_late;
    too_late.load(file, world.host.now() + Readers::forgotten_after + std::chrono::hours(1));
    CHECK(too_late.of(url).empty());
    test::write_file(file, "something else\n1\t2\n");
    Readers damaged;
    damaged.load(file, world.host.now());
    CHECK(damaged.of(url).empty());
    // Who suffers when it ends is named in the alarm.
    world.server.body.clear();
    world.later(std::chrono::minutes(23 * 60 + 50));
    for (int i = 0; i < 4; ++i) CHECK(world.run({"crl", "refresh"}).status == 1);
    CHECK(says(world.host.alarms[std::string("crl-ending ") + url],
               "mail of woodgrovebank.com (receive_connector Inet)"));
}

TEST_CASE("a list that an operator laid down is an alarm a day before it ends", "[crl]") {
    World world;
    const auto lay_down = [&](const std::string& name, const ListTerms& terms) {
        const auto path = world.file(name, terms);
        auto list = x509::CertificateList::read(make_list(*world.root, terms));
        REQUIRE(list);
        return std::make_shared<const KnownList>(std::move(*list), path);
    };
    ListTerms terms;
    terms.ends = std::chrono::minutes(3 * 24 * 60);
    const auto first = lay_down("first.crl", terms);
    world.store.replace_files({first});
    world.flights.gauges();
    CHECK(world.host.counted.contains("postern_crl_next_update_timestamp_seconds{url=\"" + first->source() + "\"}"));
    world.flights.refresh_due();
    CHECK(world.host.alarms.empty());
    world.later(std::chrono::minutes(2 * 24 * 60 + 60));
    world.flights.refresh_due();
    const auto& alarm = world.host.alarms["crl-ending " + first->source()];
    CHECK(says(alarm, "the list of CN=Root in this file ends "));
    CHECK(says(alarm, "put a newer one there and reload"));
    // Another that outlives it ends the alarm, from wherever it came.
    terms.ends = std::chrono::minutes(9 * 24 * 60);
    terms.number = 2;
    world.store.replace_files({first, lay_down("second.crl", terms)});
    world.flights.refresh_due();
    CHECK(world.host.alarms.empty());
}

TEST_CASE("a list whose refresh fails is an alarm a day before it ends, another once it ended", "[crl]") {
    World world;
    ListTerms terms;
    terms.ends = std::chrono::minutes(10 * 24 * 60);
    world.server.body = make_list(*world.root, terms);
    CHECK(world.ask() == "good");
    world.server.body.clear();
    const auto fail_often = [&] {
        for (int i = 0; i < 4; ++i) {
            CHECK(world.run({"crl", "refresh"}).status == 1);
            world.later(std::chrono::minutes(1));
        }
    };
    fail_often();
    CHECK(world.host.alarms.empty());  // ten days are left
    world.later(std::chrono::minutes(9 * 24 * 60 + 12 * 60));
    fail_often();
    REQUIRE(world.host.alarms.count(std::string("crl-ending ") + url) == 1);
    CHECK(says(world.host.alarms.at(std::string("crl-ending ") + url), "the list of CN=Root ends"));
    CHECK(world.host.alarms.size() == 1);
    world.later(std::chrono::minutes(24 * 60));
    world.flights.refresh_due();
    CHECK(world.host.alarms.count(std::string("crl-ending ") + url) == 0);
    CHECK(world.host.alarms.count(std::string("crl-unreachable ") + url) == 1);
    CHECK(world.run({"crl", "refresh"}).status == 1);  // also waits for the flight that was due
    ListTerms fresh;
    fresh.begins = std::chrono::minutes(10 * 24 * 60);
    fresh.ends = std::chrono::minutes(20 * 24 * 60);
    fresh.number = 2;
    world.server.body = make_list(*world.root, fresh);
    CHECK(world.run({"crl", "refresh"}).status == 0);
    CHECK(world.host.alarms.empty());
}
