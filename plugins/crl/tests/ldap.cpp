// Lists out of directories: real slapd, plain and in TLS, and a server that says what no directory would.
#include <ldap.h>

#include <catch2/catch.hpp>
#include <crl/checker.hpp>
#include <crl/ldap_gate.hpp>
#include <future>
#include <postern/testing/fake_host.hpp>
#include <support/directory.hpp>
#include <support/lists.hpp>

using namespace postern;
using namespace postern::crl;
using test::Authority;
using test::CertificateTerms;
using test::Slapd;

namespace {

// Before libldap is first used: what it would take up if it were let.
const bool misled = [] {
    static const test::TemporaryFolder folder;
    test::write_file(folder.path("ldap.conf"), "SIZELIMIT 17\n");
    ::setenv("LDAPCONF", folder.path("ldap.conf").c_str(), 1);
    return ::setenv("LDAPBASE", "o=Elsewhere", 1) == 0;
}();

struct World {
    World() {
        CertificateTerms ca;
        ca.name = "Root";
        ca.ca = true;
        root = std::make_unique<Authority>(ca);
        CertificateTerms server;
        server.name = "localhost";
        server.dns_names = {"localhost"};
        ldap_server = std::make_unique<Authority>(server, root.get());
        test::write_file(folder.path("root.pem"), root->pem());
        test::write_file(folder.path("server.pem"), ldap_server->pem());
        test::write_file(folder.path("server.key"), ldap_server->key_pem());
    }
    std::string list(const std::string& name, const test::ListTerms& terms) {
        const auto der = make_list(*root, terms);
        test::write_file(folder.path(name), std::string(der.begin(), der.end()));
        return folder.path(name);
    }
    Slapd::Terms tls() const { return {{}, folder.path("server.pem"), folder.path("server.key"), {}}; }
    Outcome<FetchAnswer> fetch(const std::string& url, std::uint16_t port,
                               std::vector<std::string> hosts = {"127.0.0.1"}) {
        FetchRequest request;
        request.url = url;
        request.rules.allowed_hosts = std::move(hosts);
        request.rules.allowed_ports = {port};
        request.rules.timeout = Milliseconds(10000);
        return test::wait_for(fetcher.fetch(std::move(request)));
    }

    test::TemporaryFolder folder;
    std::unique_ptr<Authority> root, ldap_server;
    LdapFetcher fetcher;
};

bool says(const Outcome<FetchAnswer>& outcome, std::string_view part) {
    UNSCOPED_INFO((outcome ? "fetched" : outcome.failure.text));
    return !outcome && (outcome.failure.token == "crl-unreachable" || outcome.failure.token == host_unreachable) &&
           outcome.failure.text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a directory's list is fetched, and judged as any other", "[crl]") {
    World world;
    const Slapd slapd(world.folder.path("slapd"), {{{"Root", {world.list("a.crl", {})}}}, {}, {}, {}});
    const auto url = slapd.url("Root");
    const auto answer = world.fetch(url, slapd.port());
    REQUIRE(answer);
    CHECK(answer->way == "direct to 127.0.0.1:" + std::to_string(slapd.port()) + " (LDAP takes no proxy)");
    CHECK(std::string(answer->body.begin(), answer->body.end()) == test::read_file(world.folder.path("a.crl")));

    CertificateTerms terms;
    terms.name = "mail1.contoso.com";
    terms.crl_urls = {url};
    const Authority leaf(terms, world.root.get());
    test::FakeHost host;
    host.offer<Fetcher>(world.fetcher, "ldap");
    ListStore store(host);
    Flights flights(host, store);
    Settings settings;
    settings.hosts = {"127.0.0.1"};
    settings.ports = {slapd.port()};
    flights.configure(settings);
    Checker checker(store, flights);
    RevocationRequest request;
    request.path = {leaf.der(), world.root->der()};
    request.may_fetch = true;
    request.at = host.now();
    CHECK(test::wait_for(checker.check(request))->front().standing == RevocationStanding::good);
}

TEST_CASE("an URL without a host asks the directories of the settings, one after the other", "[crl]") {
    World world;
    const Slapd empty(world.folder.path("empty"), {{}, {}, {}, {}});
    const Slapd full(world.folder.path("full"), {{{"Root", {world.list("a.crl", {})}}}, {}, {}, {}});
    const auto url = full.url("Root", "");
    CHECK(says(world.fetch(url, 389), "ldap_hosts names none"));
    const auto server = [](std::uint16_t port) { return *LdapServer::parse("127.0.0.1:" + std::to_string(port)); };
    world.fetcher.configure({{server(empty.port()), server(full.port())}, {}});
    CHECK(world.fetch(url, 389, {}));
    world.fetcher.configure({{server(empty.port())}, {}});
    CHECK(says(world.fetch(url, 389, {}), "no entry cn=Root"));
}

TEST_CASE("several values are handed over, and the one that is believed is taken", "[crl]") {
    World world;
    test::ListTerms newer;
    newer.number = 2;
    const Slapd slapd(world.folder.path("slapd"),
                      {{{"Root", {world.list("b.crl", newer), world.list("a.crl", {})}}}, {}, {}, {}});
    const auto answer = world.fetch(slapd.url("Root"), slapd.port());
    REQUIRE(answer);
    CHECK(answer->body.size() ==
          test::read_file(world.folder.path("a.crl")).size() + test::read_file(world.folder.path("b.crl")).size());
    test::FakeHost host;
    host.offer<Fetcher>(world.fetcher, "ldap");
    ListStore store(host);
    Flights flights(host, store);
    Settings settings;
    settings.hosts = {"127.0.0.1"};
    settings.ports = {slapd.port()};
    flights.configure(settings);
    std::promise<std::string> landed;
    flights.fetch(slapd.url("Root"), {world.root->der()}, false,
                  [&](const std::string& error) { landed.set_value(error); });
    CHECK(landed.get_future().get().empty());
    CHECK(store.find(slapd.url("Root"))->list->list.number == Bytes{2});
}

TEST_CASE("ldaps trusts whom the settings name, by the name that was asked for", "[crl]") {
    World world;
    auto terms = world.tls();
    terms.entries = {{"Root", {world.list("a.crl", {})}}};
    const Slapd slapd(world.folder.path("slapd"), terms);
    CHECK(says(world.fetch(slapd.url("Root", "localhost"), slapd.port(), {"localhost"}), "not trusted"));
    world.fetcher.configure({{}, {world.folder.path("root.pem")}});
    CHECK(world.fetch(slapd.url("Root", "localhost"), slapd.port(), {"localhost"}));
    CHECK(says(world.fetch(slapd.url("Root"), slapd.port()), "not trusted"));  // 127.0.0.1 is not in its certificate
    world.fetcher.configure({{}, {world.folder.path("missing.pem")}});
    CHECK(says(world.fetch(slapd.url("Root", "localhost"), slapd.port(), {"localhost"}), "missing.pem"));
    // Clear text to a server of TLS, and the other way round: failures, within the time.
    const auto plain = "ldap" + slapd.url("Root").substr(5);
    CHECK_FALSE(world.fetch(plain, slapd.port()));
}

TEST_CASE("addresses and ports of a directory pass the rules of every fetch", "[crl]") {
    World world;
    const Slapd slapd(world.folder.path("slapd"), {{{"Root", {world.list("a.crl", {})}}}, {}, {}, {}});
    CHECK(says(world.fetch(slapd.url("Root"), slapd.port(), {}), "literal address"));
    CHECK(says(world.fetch(slapd.url("Root"), 389), "not among the allowed ports"));
    CHECK(says(world.fetch(slapd.url("Root", "localhost"), slapd.port(), {}), "single label"));
    FetchRequest request;
    request.url = slapd.url("Root", "localhost");
    request.rules.allowed_ports = {slapd.port()};
    request.rules.allow_private = true;
    CHECK(says(test::wait_for(world.fetcher.fetch(request)), "single label"));
}

TEST_CASE("neither ldap.conf nor the environment is read", "[crl]") {
    World world;
    const Slapd slapd(world.folder.path("slapd"), {{{"Root", {world.list("a.crl", {})}}}, {}, {}, {}});
    CHECK(world.fetch(slapd.url("Root"), slapd.port()));
    char* base = nullptr;
    int limit = 0;
    CHECK(ldap_get_option(nullptr, LDAP_OPT_DEFBASE, &base) == LDAP_OPT_SUCCESS);
    CHECK((!base || *base == 0));
    CHECK(ldap_get_option(nullptr, LDAP_OPT_SIZELIMIT, &limit) == LDAP_OPT_SUCCESS);
    CHECK(limit == 0);
    ldap_memfree(base);
}

TEST_CASE("a referral is not followed", "[crl]") {
    World world;
    const Slapd full(world.folder.path("full"), {{{"Root", {world.list("a.crl", {})}}}, {}, {}, {}});
    const Slapd referring(world.folder.path("referring"),
                          {{}, {}, {}, "referral ldap://127.0.0.1:" + std::to_string(full.port()) + "\n"});
    auto url = referring.url("Root");
    url.replace(url.find("o=Directory"), 11, "o=Elsewhere");
    CHECK(says(world.fetch(url, referring.port()), "not followed"));
}

TEST_CASE("an entry that is missing, empty or hidden is a failure that says so", "[crl]") {
    World world;
    const Slapd slapd(world.folder.path("slapd"), {{{"Empty", {}}}, {}, {}, {}});
    CHECK(says(world.fetch(slapd.url("Root"), slapd.port()), "no entry cn=Root"));
    CHECK(says(world.fetch(slapd.url("Empty"), slapd.port()), "has no certificateRevocationList"));
    const auto elsewhere = slapd.url("Empty", "127.0.0.1", "?certificateRevocationList?base?objectClass=person");
    CHECK(says(world.fetch(elsewhere, slapd.port()), "shows nothing"));
    const Slapd hidden(world.folder.path("hidden"), {{{"Root", {world.list("a.crl", {})}}}, {}, {}, "require bind\n"});
    CHECK_FALSE(world.fetch(hidden.url("Root"), hidden.port()));
}

TEST_CASE("a directory that hangs, trickles, talks nonsense or too much costs its time and fails", "[crl]") {
    World world;
    const auto ask = [&](const test::RawServer& server, std::uint64_t most = 1000) {
        FetchRequest request;
        request.url = "ldap://127.0.0.1:" + std::to_string(server.port()) + "/cn=a?certificateRevocationList;binary";
        request.rules.allowed_hosts = {"127.0.0.1"};
        request.rules.allowed_ports = {server.port()};
        request.rules.timeout = Milliseconds(1000);
        request.rules.bytes = most;
        return test::wait_for(world.fetcher.fetch(std::move(request)));
    };
    CHECK(says(ask(test::RawServer({})), "no answer in time"));
    CHECK(says(ask(test::RawServer({"HTTP/1.1 400 Bad Request\r\n\r\n", true})), "no LDAP"));
    CHECK_FALSE(ask(test::RawServer({"", true})));
    // An element that claims 2 GB is not waited for, nor memory taken for it.
    CHECK_FALSE(ask(test::RawServer({std::string("\x30\x84\x7f\xff\xff\xff\x02\x01", 8), false})));
    CHECK(says(ask(test::RawServer({std::string("\x30\x82\x03\xe8\x02\x01", 6), false})), "no answer in time"));
    // Answers to questions that nobody asked, without end.
    std::string endless;
    const std::string notice("\x30\x0c\x02\x01\x07\x65\x07\x0a\x01\x00\x04\x00\x04\x00", 14);
    for (int i = 0; i < 100000; ++i) endless += notice;
    CHECK(says(ask(test::RawServer({endless, false})), "no answer to the question"));
    // libldap would lose the memory of a notice of disconnection: it never sees one.
    const std::string disconnecting("\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x34\x04\x00\x04\x00\x8a\x16", 16);
    CHECK(says(ask(test::RawServer({disconnecting + "1.3.6.1.4.1.1466.20036", true})), "no answer to the question"));
}

TEST_CASE("messages pass the gate in any pieces, and only answers to message 1", "[crl]") {
    const auto bytes = [](const std::string& text) { return Bytes(text.begin(), text.end()); };
    const auto passes = [&](const std::string& text, std::size_t piece) {
        LdapGate gate;
        const auto all = bytes(text);
        for (std::size_t at = 0; at < all.size(); at += piece)
            if (!gate.pass(BytesView(all).subspan(at, std::min(piece, all.size() - at)))) return false;
        return true;
    };
    const std::string entry = std::string("\x30\x82\x01\x04\x02\x01\x01", 7) + std::string(257, 'x');
    const std::string done("\x30\x07\x02\x01\x01\x65\x02\x0a\x01", 9);
    for (const std::size_t piece : {1, 2, 3, 7, 100, 1000}) {
        CHECK(passes(entry + entry + done, piece));
        CHECK_FALSE(passes(entry + std::string("\x30\x07\x02\x01\x00\x65\x02\x0a\x01", 9), piece));
    }
    for (const std::string text : {"\x31", "\x30\x80", "\x30\x85", "\x30\x02\x02", "\x30\x07\x0a", "\x30\x07\x02\x02"})
        CHECK_FALSE(passes(text, 1));
}

TEST_CASE("stopping fails what is under way, at once", "[crl]") {
    World world;
    const test::RawServer silent({});
    FetchRequest request;
    request.url = "ldap://127.0.0.1:" + std::to_string(silent.port()) + "/cn=a?certificateRevocationList";
    request.rules.allowed_hosts = {"127.0.0.1"};
    request.rules.allowed_ports = {silent.port()};
    request.rules.timeout = Milliseconds(600000);
    std::vector<Pending<FetchAnswer>> pending;
    for (int i = 0; i < 20; ++i) pending.push_back(world.fetcher.fetch(request));
    silent.wait_for_connections(4);
    world.fetcher.stop();
    for (auto& one : pending) CHECK(says(test::wait_for(one), "shutting down"));
    CHECK(says(test::wait_for(world.fetcher.fetch(request)), "shutting down"));
}
