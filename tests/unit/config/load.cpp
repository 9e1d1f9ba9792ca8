#include <stdlib.h>

#include <catch2/catch.hpp>
#include <config/keys.hpp>
#include <config/settings.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace postern::config;

namespace {

struct Folder {
    Folder() {
        char name[] = "/tmp/postern-config-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(path + "/" + name).parent_path());
        std::ofstream(path + "/" + name) << text;
        return path + "/" + name;
    }
    std::string path;
};

std::string problems_of(const Folder& folder, const std::string& text) {
    std::string all;
    const auto file = folder.write("postern.conf", text);
    for (const auto& problem : load(file).problems) all += to_text(problem).substr(folder.path.size() + 1) + "\n";
    return all;
}

bool has(const std::string& all, const std::string& part) { return all.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a configuration loads into its values", "[config]") {
    Folder folder;
    folder.write("rcpt", "alice\n# nobody\nBob@contoso.com\n");
    folder.write("conf.d/more.conf", "drain_time 7s\n");
    const auto file = folder.write(
        "postern.conf",
        "fqdn mail1.contoso.com ; ours\ntls_send_domain_secure_list {\n  woodgrovebank.com\n  .woodgrovebank.com\n}\n"
        "partner woodgrovebank.com {\n  revocation soft\n  exception {\n    allow no-revocation\n    until "
        "2031-01-31\n    reason \"their CA; moves\"\n  }\n}\n"
        "send_connector All {\n  address_spaces {\n    * 5\n  }\n  domain_secure_enabled yes\n}\n"
        "send_connector Near {\n  address_spaces {\n    .contoso.com\n  }\n  smart_host hub.contoso.com\n  retry {\n   "
        " quick 2s\n  }\n}\n"
        "accepted_domain Contoso.COM {\n  recipients {\n    file " +
            folder.path + "/rcpt\n  }\n  deliver maildir\n}\n");
    const auto loaded = load(file);
    std::string problems;
    for (const auto& problem : loaded.problems) problems += to_text(problem) + "\n";
    INFO(problems);
    REQUIRE(loaded.settings);
    const auto& settings = *loaded.settings;
    CHECK(settings.drain_time.count() == 7);
    CHECK(settings.partner("woodgrovebank.com").revocation == postern::RevocationMode::soft);
    CHECK(settings.partner("woodgrovebank.com").exceptions.at(0).reason == "their CA; moves");
    CHECK(settings.send_connector_for("a.contoso.com")->name == "Near");
    CHECK(settings.send_connector_for("contoso.com")->name == "All");
    CHECK(settings.send_connectors[1].retry.quick.count() == 2);
    CHECK(settings.accepted_domains.at("contoso.com").known.contains("bob"));
}

TEST_CASE("every mistake is reported at once, with its line and a suggestion", "[config]") {
    Folder folder;
    const auto all = problems_of(
        folder,
        "fqdn mail1.contoso.com\nspol /x\nworkers many\ntls_send_domain_secure_list {\n  com\n  a..b\n}\n"
        "receive_connector Inet {\n  bindings {\n    0.0.0.0\n  }\n  remote_ranges {\n    10.0.0.0/40\n  }\n  "
        "certificate egde\n  domain_secure_enabled maybe\n}\n"
        "certificate edge {\n  chain /nowhere/edge.pem\n}\naccepted_domain contoso.com {\n  deliver maildr\n}\n");
    for (const auto* line :
         {"postern.conf:2: spol: is not a key of the configuration (did you mean spool?)",
          "postern.conf:3: workers: \"many\" is not a number", "postern.conf:5: com: is a public suffix",
          "postern.conf:6: a..b: \"a..b\" is no domain name", "postern.conf:10: 0.0.0.0: is no address:port",
          "postern.conf:13: 10.0.0.0/40: is no address range",
          "postern.conf:15: certificate: no certificate is called egde (did you mean edge?)",
          "postern.conf:16: domain_secure_enabled: \"maybe\" is not yes or no",
          "postern.conf:18: certificate: needs chain and key", "the file /nowhere/edge.pem cannot be read",
          "needs recipients",
          "postern.conf:22: deliver: maildr is neither maildir, nor the NAME of a plugin deliver-NAME, nor a "
          "send_connector (did you mean maildir?)"}) {
        INFO(all);
        CHECK(has(all, line));
    }
}

TEST_CASE("a list on one line is an error that shows the block form", "[config]") {
    Folder folder;
    CHECK(has(problems_of(folder, "fqdn a.com\ntls_send_domain_secure_list a.com b.com\n"),
              "one entry a line: write a list as a block"));
}

TEST_CASE("a listed domain may not leave by a connector that is not secured", "[config]") {
    Folder folder;
    CHECK(has(problems_of(folder,
                          "fqdn a.com\ntls_send_domain_secure_list {\n  woodgrovebank.com\n}\nsend_connector All {\n  "
                          "address_spaces {\n    *\n  }\n}\n"),
              "lacks domain_secure_enabled yes"));
}

TEST_CASE("unclosed blocks, stray braces, missing files and include loops are named", "[config]") {
    Folder folder;
    CHECK(has(problems_of(folder, "fqdn a.com\nroots x {\n"), "that begins at line 2 is not closed"));
    CHECK(has(problems_of(folder, "fqdn a.com\n}\n"), "closes no block"));
    CHECK(has(problems_of(folder, "#include \"postern.conf\"\n"), "more than 8 deep"));
    CHECK_FALSE(load(folder.path + "/missing.conf").settings);
}

TEST_CASE("ranges hold what their prefix says", "[config]") {
    CHECK(Range{{192, 0, 2, 0}, 24}.contains("192.0.2.255"));
    CHECK_FALSE(Range{{192, 0, 2, 0}, 24}.contains("192.0.3.0"));
    CHECK_FALSE(Range{{0, 0, 0, 0}, 0}.contains("::1"));
    CHECK_FALSE(Range{{0, 0, 0, 0}, 0}.contains("nonsense"));
}

TEST_CASE("the reference page is the table (posternd --print-reference > docs/configuration.md)", "[config]") {
    std::ifstream file(POSTERN_SOURCE_DIR "/docs/configuration.md");
    std::ostringstream page;
    page << file.rdbuf();
    CHECK(page.str() == reference_page());
}

TEST_CASE("what DNS is validated by", "[config]") {
    Folder folder;
    const auto file = folder.write("postern.conf",
                                   "fqdn mail1.contoso.com\nresolver {\n  dnssec on\n  trust_anchor /etc/anchors\n  "
                                   "insecure {\n    Corp.Contoso.com\n  }\n}\n");
    const auto loaded = load(file);
    REQUIRE(loaded.settings);
    const auto& resolver = loaded.settings->resolver;
    CHECK(resolver.dnssec == Dnssec::on);
    CHECK(resolver.trust_anchor == "/etc/anchors");
    CHECK(resolver.trust_anchor_named);
    CHECK(resolver.insecure == std::vector<std::string>{"corp.contoso.com"});
    CHECK(loaded.settings->resolver_place.line == 4);
    const auto plain = load(folder.write("plain.conf", "fqdn mail1.contoso.com\n"));
    REQUIRE(plain.settings);
    CHECK(plain.settings->resolver.dnssec == Dnssec::log);
    CHECK(plain.settings->resolver.trust_anchor == "/usr/share/dns/root.key");
    CHECK_FALSE(plain.settings->resolver.trust_anchor_named);
    const auto all = problems_of(folder,
                                 "fqdn mail1.contoso.com\nresolver {\n  dnssec maybe\n  insecure {\n    "
                                 ".contoso.com\n    bad..name\n  }\n}\n");
    CHECK(has(all, "postern.conf:3: dnssec: \"maybe\" is none of off, log, on"));
    CHECK(has(all, "postern.conf:5: .contoso.com: is a zone with all below it"));
    CHECK(has(all, "postern.conf:6: "));
}

TEST_CASE("a smart host is a name or an address, and its port stands apart", "[config]") {
    Folder folder;
    const auto told = [&](const std::string& host) {
        return problems_of(folder, "fqdn mail1.contoso.com\nsend_connector Hub {\n  smart_host " + host + "\n}\n");
    };
    for (const auto* good : {"hub", "hub.contoso.com", "192.0.2.1", "2001:db8::1"})
        CHECK_FALSE(has(told(good), "smart_host"));
    CHECK(has(told("hub.contoso.com:2525"),
              "postern.conf:3: smart_host: \"hub.contoso.com:2525\" is no host name or "
              "address; its port is a key of its own"));
    CHECK(has(told("hub..com"), "is no host name or address"));
    CHECK(has(told("192.0.2.0/24"), "is no host name or address"));
}
