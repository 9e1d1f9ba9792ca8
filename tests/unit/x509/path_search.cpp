#include <catch2/catch.hpp>
#include <support/authority.hpp>
#include <x509/path_search.hpp>

using namespace postern;
using namespace postern::x509;
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
    return terms;
}

// A root, an issuing CA, and a search that says what came of a leaf.
struct World {
    Authority root{ca("Root")}, issuing{ca("Issuing"), &root};
    CertificateIndex anchors, sent, local;
    PathTerms terms{std::chrono::system_clock::now(), Purpose::connecting, Profile::modern};
    SearchLimits limits;

    World() { anchors.add(*Certificate::read(root.der())); }
    void send(const Authority& certificate) { sent.add(*Certificate::read(certificate.der())); }
    // "" and the path's length, or the reason.
    std::string judge(const Authority& certificate) {
        const auto subject = *Certificate::read(certificate.der());
        PathSearch search(subject, {&anchors}, {&sent, &local}, terms, limits);
        auto path = search.next();
        if (!path) {
            CHECK_FALSE(search.fault().sentence.empty());
            return search.fault().reason;
        }
        held = path->held;
        return std::to_string(path->certificates.size());
    }
    Purpose held = Purpose::unstated;
};

}  // namespace

TEST_CASE("a chain with its intermediate reaches the anchor, however it was sent", "[x509]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.issuing);
    world.send(world.root);
    world.send(edge);
    world.send(world.issuing);
    world.send(world.issuing);
    CHECK(world.judge(edge) == "3");
}

TEST_CASE("a missing intermediate is found among the local ones", "[x509]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.issuing);
    CHECK(world.judge(edge) == "unknown-root");
    world.local.add(*Certificate::read(world.issuing.der()));
    CHECK(world.judge(edge) == "3");
}

TEST_CASE("a foreign root is unknown although it is sent", "[x509]") {
    World world;
    const Authority foreign(ca("Foreign root"));
    const Authority edge(leaf("mail1.contoso.com"), &foreign);
    world.send(foreign);
    CHECK(world.judge(edge) == "unknown-root");
}

TEST_CASE("a root of the same name with another key does not vouch", "[x509]") {
    World world;
    const Authority impostor(ca("Root"));
    const Authority edge(leaf("mail1.contoso.com"), &impostor);
    world.send(impostor);
    CHECK(world.judge(edge) == "unknown-root");
}

TEST_CASE("dates of leaf and intermediate count, those of the anchor do not", "[x509]") {
    World world;
    auto terms = leaf("mail1.contoso.com");
    terms.begins = std::chrono::hours(-48);
    terms.ends = std::chrono::hours(-1);
    const Authority expired(terms, &world.root);
    CHECK(world.judge(expired) == "expired");
    terms.begins = std::chrono::hours(1);
    terms.ends = std::chrono::hours(48);
    const Authority early(terms, &world.root);
    CHECK(world.judge(early) == "not-yet-valid");

    auto old = ca("Old root");
    old.begins = std::chrono::hours(-48);
    old.ends = std::chrono::hours(-1);
    const Authority old_root(old);
    world.anchors.add(*Certificate::read(old_root.der()));
    const Authority good(leaf("mail2.contoso.com"), &old_root);
    CHECK(world.judge(good) == "2");
    auto old_issuing = ca("Old issuing");
    old_issuing.begins = std::chrono::hours(-48);
    old_issuing.ends = std::chrono::hours(-1);
    const Authority issuing(old_issuing, &world.root);
    world.send(issuing);
    const Authority below(leaf("mail3.contoso.com"), &issuing);
    CHECK(world.judge(below) == "expired");
}

TEST_CASE("what is no CA signs for nobody", "[x509]") {
    World world;
    const Authority pretender(leaf("pretender.contoso.com"), &world.root);
    world.send(pretender);
    const Authority edge(leaf("mail1.contoso.com"), &pretender);
    CHECK(world.judge(edge) == "broken-constraint");
    auto terms = ca("No signer");
    terms.key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE;
    const Authority no_signer(terms, &world.root);
    world.send(no_signer);
    const Authority other(leaf("mail2.contoso.com"), &no_signer);
    CHECK(world.judge(other) == "broken-constraint");
}

TEST_CASE("a path length is kept, and self-issued certificates do not count", "[x509]") {
    World world;
    auto limited = ca("Limited");
    limited.path_length = 0;
    const Authority zero(limited, &world.root);
    const Authority deeper(ca("Deeper"), &zero);
    const Authority rolled(ca("Limited"), &zero);  // self-issued: the same name, a new key
    world.send(zero);
    world.send(deeper);
    world.send(rolled);
    const Authority at_zero(leaf("a.contoso.com"), &zero), too_deep(leaf("b.contoso.com"), &deeper),
        under_rolled(leaf("c.contoso.com"), &rolled);
    CHECK(world.judge(at_zero) == "3");
    CHECK(world.judge(too_deep) == "broken-constraint");
    CHECK(world.judge(under_rolled) == "4");
}

TEST_CASE("name constraints bind everything below, wildcards at what they could stand for", "[x509]") {
    World world;
    auto inside = ca("Inside");
    inside.also = test::dns_constraint("contoso.com", true);
    const Authority permitted(inside, &world.root);
    auto outside = ca("Outside");
    outside.also = test::dns_constraint("secret.contoso.com", false);
    const Authority excluded(outside, &world.root);
    world.send(permitted);
    world.send(excluded);
    const Authority good(leaf("mail1.contoso.com"), &permitted), bad(leaf("mail1.woodgrovebank.com"), &permitted),
        hidden(leaf("x.secret.contoso.com"), &excluded), wild(leaf("*.contoso.com"), &excluded),
        beside(leaf("open.contoso.com"), &excluded);
    CHECK(world.judge(good) == "3");
    CHECK(world.judge(bad) == "broken-constraint");
    CHECK(world.judge(hidden) == "broken-constraint");
    CHECK(world.judge(wild) == "broken-constraint");
    CHECK(world.judge(beside) == "3");
}

TEST_CASE("a purpose is judged on leaf and intermediates, client before server for who connects", "[x509]") {
    World world;
    auto terms = leaf("mail1.contoso.com");
    terms.purposes = {GNUTLS_KP_TLS_WWW_SERVER};
    const Authority server(terms, &world.root);
    CHECK(world.judge(server) == "2");
    CHECK(world.held == Purpose::server);
    world.terms.purpose = Purpose::client;
    CHECK(world.judge(server) == "wrong-purpose");
    terms.purposes = {GNUTLS_KP_EMAIL_PROTECTION};
    const Authority mail(terms, &world.root);
    world.terms.purpose = Purpose::connecting;
    CHECK(world.judge(mail) == "wrong-purpose");
    world.terms.purpose = Purpose::server;
    const Authority plain(leaf("mail2.contoso.com"), &world.root);
    CHECK(world.judge(plain) == "2");
    auto email_only = ca("E-mail CA");
    email_only.purposes = {GNUTLS_KP_EMAIL_PROTECTION};
    const Authority email_ca(email_only, &world.root);
    world.send(email_ca);
    const Authority below(leaf("mail3.contoso.com"), &email_ca);
    CHECK(world.judge(below) == "wrong-purpose");
}

TEST_CASE("weak keys and signatures are named weak", "[x509]") {
    World world;
    auto terms = leaf("mail1.contoso.com");
    terms.rsa_bits = 1024;
    const Authority small_key(terms, &world.root);
    CHECK(world.judge(small_key) == "weak");
    terms.rsa_bits = 0;
    terms.digest = GNUTLS_DIG_SHA1;
    const Authority old_hash(terms, &world.root);
    CHECK(world.judge(old_hash) == "weak");
}

TEST_CASE("an unknown critical extension refuses the chain", "[x509]") {
    World world;
    auto terms = leaf("mail1.contoso.com");
    terms.also = [](gnutls_x509_crt_t certificate) {
        const unsigned char null[] = {0x05, 0x00};
        test::must(gnutls_x509_crt_set_extension_by_oid(certificate, "1.2.3.4", null, sizeof null, 1));
    };
    const Authority odd(terms, &world.root);
    CHECK(world.judge(odd) == "broken-constraint");
}

TEST_CASE("a bad alternative does not hide a good path", "[x509]") {
    World world;
    // The issuing CA once more, expired and constrained away, sent first.
    auto bad_terms = ca("Issuing");
    bad_terms.begins = std::chrono::hours(-48);
    bad_terms.ends = std::chrono::hours(-1);
    const Authority expired(bad_terms, world.issuing, world.root);
    auto narrow = ca("Issuing");
    narrow.also = test::dns_constraint("elsewhere.example", true);
    const Authority constrained(narrow, world.issuing, world.root);
    world.send(expired);
    world.send(constrained);
    world.send(world.issuing);
    const Authority edge(leaf("mail1.contoso.com"), &world.issuing);
    CHECK(world.judge(edge) == "3");
}

TEST_CASE("loops of cross-certificates end", "[x509]") {
    World world;
    const Authority a(ca("A")), b(ca("B"));
    const Authority a_by_b(ca("A"), a, b), b_by_a(ca("B"), b, a);
    world.send(a_by_b);
    world.send(b_by_a);
    const Authority edge(leaf("mail1.contoso.com"), &a);
    CHECK(world.judge(edge) == "unknown-root");
    const Authority a_by_root(ca("A"), a, world.root);
    world.send(a_by_root);
    CHECK(world.judge(edge) == "3");
}

TEST_CASE("work is bounded: too many candidates are too much work, not a long search", "[x509]") {
    World world;
    std::vector<std::unique_ptr<Authority>> crowd;
    for (int i = 0; i < 12; ++i) {
        crowd.push_back(std::make_unique<Authority>(ca("Crowd")));
        world.send(*crowd.back());
    }
    const Authority edge(leaf("mail1.contoso.com"), crowd.back().get());
    world.limits.signatures = 10;
    CHECK(world.judge(edge) == "too-much-work");
}

TEST_CASE("every valid path is offered, one after the other", "[x509]") {
    World world;
    const Authority second_root(ca("Second root"));
    world.anchors.add(*Certificate::read(second_root.der()));
    const Authority crossed(ca("Issuing"), world.issuing, second_root);
    world.send(world.issuing);
    world.send(crossed);
    const Authority edge(leaf("mail1.contoso.com"), &world.issuing);
    const auto subject = *Certificate::read(edge.der());
    PathSearch search(subject, {&world.anchors}, {&world.sent}, world.terms);
    auto first = search.next(), second = search.next();
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->certificates.back() != second->certificates.back());
    CHECK_FALSE(search.next());
}
