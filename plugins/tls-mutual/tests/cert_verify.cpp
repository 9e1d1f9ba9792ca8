// `postern cert verify` as it is typed, with the real checker of lists beside it: exit status, text, JSON, and what it
// makes of files that are broken in every way.
#include <catch2/catch.hpp>
#include <crl/checker.hpp>
#include <fstream>
#include <name-matching/matcher.hpp>
#include <postern/testing/fake_host.hpp>
#include <random>
#include <support/lists.hpp>
#include <tls-mutual/cert_verify.hpp>

using namespace postern;
using namespace postern::tls_mutual;
using test::Authority;
using test::CertificateTerms;

namespace {

CertificateTerms ca(const std::string& name) {
    CertificateTerms terms;
    terms.name = name;
    terms.ca = true;
    return terms;
}
CertificateTerms leaf(const std::string& name) {
    CertificateTerms terms;
    terms.name = name;
    terms.dns_names = {name};
    terms.purposes = {GNUTLS_KP_TLS_WWW_SERVER};
    return terms;
}
std::string text(const Bytes& octets) { return {octets.begin(), octets.end()}; }

struct World {
    World() {
        judge.use(host);
        host.offer<RevocationChecker>(checker);
        host.offer<PooledRevocationChecker>(checker);
        host.offer<NameMatcher>(matcher);
        file("root.pem", root.pem());
        file("issuing.pem", issuing.pem());
        file("edge.pem", edge.pem());
        file("edge.der", text(edge.der()));
        file("root.crl", text(test::make_list(root, {})));
        file("issuing.crl", text(test::make_list(issuing, {})));
        std::filesystem::create_directories(folder.path("lists"));
        file("lists/a", text(test::make_list(root, {})));
        file("lists/b", text(test::make_list(issuing, {})));
        std::filesystem::create_directories(folder.path("none"));
    }
    std::string file(const std::string& name, const std::string& contents) {
        std::ofstream(folder.path(name), std::ios::binary) << contents;
        return folder.path(name);
    }
    // Words that name a file of the folder become its path.
    VerbResult run(std::vector<std::string> words) {
        for (auto& word : words)
            if (!word.empty() && std::filesystem::exists(folder.path(word))) word = folder.path(word);
        words.insert(words.begin(), {"cert", "verify"});
        auto result = test::wait_for(verify.run(std::move(words)));
        REQUIRE(result);
        return *result;
    }
    VerbResult chain(std::vector<std::string> more) {
        std::vector<std::string> words{"--trust", "root.pem", "--untrusted", "issuing.pem"};
        words.insert(words.end(), more.begin(), more.end());
        return run(std::move(words));
    }

    test::TemporaryFolder folder;
    test::FakeHost host;
    crl::ListStore store{host};
    crl::Flights flights{host, store};
    crl::Checker checker{store, flights};
    name_matching::Matcher matcher;
    Authority root{ca("Root")}, issuing{ca("Issuing"), &root}, edge{leaf("mail1.contoso.com"), &issuing};
    Judge judge{"/nonexistent"};
    CertVerify verify{host, judge};
};

bool holds(const std::string& all, const std::string& part) { return all.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("cert verify prints the path, each check and its source, and one sentence", "[cert-verify]") {
    World world;
    const auto plain = world.chain({"edge.pem"});
    CHECK(plain.status == 0);
    CHECK(holds(plain.out, "0     CN=mail1.contoso.com (serial "));
    CHECK(holds(plain.out, "2     CN=Root"));
    CHECK(holds(plain.out, "note  extKeyUsage was not judged: no --purpose"));
    CHECK(holds(plain.out, "note  revocation was not looked at: neither --crl nor --fetch"));
    CHECK(holds(plain.out, "\nvalid: "));
    CHECK(world.chain({"edge.der"}).status == 0);
    const auto listed = world.chain({"--crl", "lists", "--purpose", "server", "--domain", "Contoso.COM.", "edge.pem"});
    CHECK(listed.status == 0);
    CHECK(holds(listed.out, "good  0 revocation: "));
    CHECK(holds(listed.out, "[the list of \"CN=Issuing\" number 01"));
    CHECK(holds(listed.out, "good  0 name: "));
    CHECK_FALSE(holds(listed.out, "note"));
}

TEST_CASE("cert verify answers 0, 1, 75 and 2", "[cert-verify]") {
    World world;
    CHECK(world.chain({"--crl", "root.crl", "--crl", "issuing.crl", "edge.pem"}).status == 0);
    const auto half = world.chain({"--crl", "root.crl", "edge.pem"});
    CHECK(half.status == 75);
    CHECK(holds(half.out, "cannot be decided now (crl-unreachable): "));
    CHECK(world.chain({"--crl", "none", "edge.pem"}).status == 75);
    test::ListTerms terms;
    terms.revoked = {&world.edge};
    world.file("issuing.crl", text(test::make_list(world.issuing, terms)));
    const auto revoked = world.chain({"--crl", "root.crl", "--crl", "issuing.crl", "edge.pem"});
    CHECK(revoked.status == 1);
    CHECK(holds(revoked.out, "invalid (revoked): "));
    CHECK(world.run({"--trust", "root.pem", "edge.pem"}).status == 1);
    CHECK(world.chain({"--purpose", "client", "edge.pem"}).status == 1);
    CHECK(world.chain({"--purpose", "any-tls", "edge.pem"}).status == 0);
    const auto other = world.chain({"--domain", "fabrikam.com", "edge.pem"});
    CHECK(other.status == 1);
    CHECK(holds(other.out, "invalid (name-mismatch): "));
    CHECK(world.chain({"--at-time", "2040-01-01T00:00:00Z", "edge.pem"}).status == 1);
    CHECK(world.chain({"--at-time", "2001-01-01", "edge.pem"}).status == 1);
    for (const auto& wrong :
         std::vector<std::vector<std::string>>{{},
                                               {"edge.pem"},
                                               {"--trust", "root.pem"},
                                               {"--trust"},
                                               {"--trust", "root.pem", "no-such-file"},
                                               {"--trust", "no-such-file", "edge.pem"},
                                               {"--trust", "none", "edge.pem"},
                                               {"--trust", "root.pem", "edge.pem", "root.pem"},
                                               {"--trust", "root.pem", "--purpose", "mail", "edge.pem"},
                                               {"--trust", "root.pem", "--profile", "old", "edge.pem"},
                                               {"--trust", "root.pem", "--at-time", "now", "edge.pem"},
                                               {"--trust", "root.pem", "--frobnicate", "x", "edge.pem"},
                                               {"--trust", "root.pem", "--crl", "gone", "edge.pem"},
                                               {"--trust", "root.pem", "--domain", "b\xc3\xbc", "edge.pem"},
                                               {"--trust", "root.pem", "--crl", "none", "--fetch", "edge.pem"}}) {
        const auto result = world.run(wrong);
        CHECK(result.status == 2);
        CHECK(result.out.empty());
        CHECK(holds(result.err, "usage: cert verify"));
    }
}

TEST_CASE("without --trust the configuration's roots count, a partner's own where the domain is a partner's",
          "[cert-verify]") {
    World world;
    const Authority other(ca("Other root"));
    const auto ours = world.file("other.pem", other.pem()), theirs = world.folder.path("root.pem");
    world.host.trust = {
        {"", false, {ours}, {}}, {".contoso.com", false, {ours}, {}}, {"contoso.com", false, {theirs}, {}}};
    const auto asked = [&](std::vector<std::string> more) {
        more.insert(more.end(), {"--untrusted", "issuing.pem", "edge.pem"});
        return world.run(std::move(more)).status;
    };
    CHECK(asked({}) == 1);
    CHECK(asked({"--domain", "contoso.com"}) == 0);
    CHECK(asked({"--domain", "mail1.contoso.com"}) == 1);
    world.host.trust[1].files = {theirs};
    CHECK(asked({"--domain", "mail1.contoso.com"}) == 0);
    world.host.trust[2].files = {ours};
    CHECK(asked({"--domain", "contoso.com"}) == 1);
    CHECK(asked({"--trust", theirs, "--domain", "contoso.com"}) == 0);
}

TEST_CASE("cert verify --json says the same to programs", "[cert-verify]") {
    World world;
    const auto valid = world.chain({"--json", "--crl", "lists", "--purpose", "server", "edge.pem"});
    CHECK(valid.status == 0);
    CHECK(valid.out.starts_with("{\n  \"verdict\": \"valid\",\n  \"reason\": \"\""));
    CHECK(holds(valid.out, "\"purpose\": \"server\""));
    CHECK(holds(valid.out, "\"revocation\": \"good\""));
    CHECK(holds(valid.out, "\"check\": \"signature\", \"good\": true"));
    const auto undecided = world.chain({"--json", "--crl", "none", "edge.pem"});
    CHECK(undecided.status == 75);
    CHECK(holds(undecided.out, "\"verdict\": \"undecided\""));
    world.file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    CHECK(holds(world.chain({"--json", "broken.pem"}).out, "\"verdict\": \"invalid\""));
}

TEST_CASE("a certificate that is broken anywhere is a verdict with a sentence, never good", "[cert-verify]") {
    World world;
    const auto whole = world.edge.der();
    const auto judged = [&](const std::string& contents) {
        world.file("broken", contents);
        const auto result = world.chain({"--crl", "lists", "broken"});
        CHECK(result.status != 0);
        CHECK_FALSE((result.out + result.err).empty());
        return result.status;
    };
    CHECK(judged("") == 1);
    CHECK(judged("nothing of the kind") == 1);
    CHECK(judged(std::string(1u << 20, '0')) == 1);
    CHECK(judged(world.edge.pem().substr(0, 200)) == 1);
    CHECK(judged(world.root.key_pem()) == 1);
    for (std::size_t size = 1; size < whole.size(); ++size)
        judged(text(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto broken = whole;
        broken[at] ^= static_cast<std::uint8_t>(1u << at % 8);
        CHECK(judged(text(broken)) == 1);
    }
    judged(text(whole) + "x");
}

TEST_CASE("a list that is broken anywhere clears nobody", "[cert-verify]") {
    World world;
    test::ListTerms terms;
    terms.revoked = {&world.root};
    terms.reason = 1;
    const auto whole = test::make_list(world.issuing, terms);
    const auto judged = [&](const Bytes& contents) {
        world.file("broken", text(contents));
        const auto result = world.chain({"--crl", "root.crl", "--crl", "broken", "edge.pem"});
        CHECK(result.status == 75);
        CHECK(holds(result.out, "cannot be decided now ("));
    };
    for (std::size_t size = 0; size < whole.size(); ++size)
        judged(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto broken = whole;
        broken[at] ^= static_cast<std::uint8_t>(1u << at % 8);
        judged(broken);
    }
    std::minstd_rand random(11);
    for (int i = 0; i < 200; ++i) {
        Bytes noise(random() % 400);
        for (auto& octet : noise) octet = static_cast<std::uint8_t>(random());
        if (!noise.empty()) noise[0] = 0x30;
        judged(noise);
    }
}
