// Shapes that certificates come in: whatever is sent beside them, every valid path is found, and none of the others.
#include <catch2/catch.hpp>
#include <numeric>
#include <random>
#include <support/authority.hpp>
#include <x509/path_search.hpp>

using namespace postern;
using namespace postern::x509;
using test::Authority;
using test::CertificateTerms;

namespace {

using Made = std::unique_ptr<Authority>;

CertificateTerms ca(const std::string& name) {
    CertificateTerms terms;
    terms.name = name;
    terms.ca = true;
    return terms;
}
CertificateTerms aged(const std::string& name) {
    auto terms = ca(name);
    terms.begins = std::chrono::hours(-48);
    terms.ends = std::chrono::hours(-1);
    return terms;
}
CertificateTerms leaf() {
    CertificateTerms terms;
    terms.name = "mail1.contoso.com";
    return terms;
}

struct Shape {
    std::vector<Bytes> anchors, sent;
    PathTerms terms{std::chrono::system_clock::now(), Purpose::connecting, Profile::modern};
    SearchLimits limits;
    std::string sentence;

    void trust(const Authority& one) { anchors.push_back(one.der()); }
    void send(const Authority& one) { sent.push_back(one.der()); }

    // The lengths of all valid paths in the order found, or the reason.
    std::string judge(const Authority& certificate, const std::vector<Bytes>& in_order) {
        CertificateIndex roots, peer;
        for (const auto& der : anchors) roots.add(*Certificate::read(der));
        for (const auto& der : in_order) peer.add(*Certificate::read(der));
        const auto subject = *Certificate::read(certificate.der());
        PathSearch search(subject, {&roots}, {&peer}, terms, limits);
        std::string lengths;
        while (auto path = search.next()) {
            lengths += (lengths.empty() ? "" : " ") + std::to_string(path->certificates.size());
            if (lengths.size() > 60) break;
        }
        sentence = search.fault().sentence;
        return lengths.empty() ? search.fault().reason : lengths;
    }
    // As sent, reversed, doubled, and shuffled a few times: always the same answer.
    std::string judge(const Authority& certificate) {
        const auto answer = judge(certificate, sent);
        auto order = sent;
        std::ranges::reverse(order);
        CHECK(judge(certificate, order) == answer);
        order.insert(order.end(), sent.begin(), sent.end());
        CHECK(judge(certificate, order) == answer);
        std::minstd_rand random(7);
        for (int i = 0; i < 5; ++i) {
            std::ranges::shuffle(order, random);
            CHECK(judge(certificate, order) == answer);
        }
        return judge(certificate, sent);
    }
};

// A root and `count` CAs below each other; the last issues.
struct Ladder {
    Authority root{ca("Root")};
    std::vector<Made> steps;
    explicit Ladder(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            steps.push_back(std::make_unique<Authority>(ca("Step " + std::to_string(i)), &last()));
    }
    const Authority& last() const { return steps.empty() ? root : *steps.back(); }
};

}  // namespace

TEST_CASE("twenty certificates make a path, twenty-one do not", "[x509]") {
    for (const std::size_t count : {18u, 19u}) {
        const Ladder ladder(count);
        const Authority edge(leaf(), &ladder.last());
        Shape shape;
        shape.trust(ladder.root);
        for (const auto& step : ladder.steps) shape.send(*step);
        CHECK(shape.judge(edge) == (count == 18 ? "20" : "too-much-work"));
    }
}

TEST_CASE("a cross-certified CA is reached from either root, and from both", "[x509]") {
    const Authority ours(ca("Our root")), theirs(ca("Their root"));
    const Authority issuing(ca("Issuing"), &theirs);
    const Authority cross(ca("Their root"), theirs, ours);  // their key, signed by our root
    const Authority edge(leaf(), &issuing);
    Shape shape;
    shape.send(issuing);
    shape.send(cross);
    shape.send(theirs);
    CHECK(shape.judge(edge) == "unknown-root");
    shape.trust(ours);
    CHECK(shape.judge(edge) == "4");
    shape.trust(theirs);
    CHECK(shape.judge(edge) == "3 4");
}

TEST_CASE("CAs that certified each other make no endless path", "[x509]") {
    const Authority root(ca("Root"));
    const Authority a(ca("A"), &root), b(ca("B"), &a);
    const Authority a_by_b(ca("A"), a, b), b_by_a(ca("B"), b, a), a_by_a(ca("A"), a, a);
    const Authority edge(leaf(), &b);
    Shape shape;
    for (const auto* one : {&a_by_b, &b_by_a, &a_by_a, &b, &a}) shape.send(*one);
    CHECK(shape.judge(edge) == "unknown-root");
    shape.trust(root);
    CHECK(shape.judge(edge).starts_with("4"));
}

TEST_CASE("a CA of the same name with another key hides nobody", "[x509]") {
    const Authority root(ca("Root"));
    std::vector<Made> namesakes;
    Shape shape;
    shape.trust(root);
    for (int i = 0; i < 30; ++i) {
        namesakes.push_back(std::make_unique<Authority>(ca("Issuing"), &root));
        shape.send(*namesakes.back());
    }
    const Authority edge(leaf(), namesakes[17].get());
    CHECK(shape.judge(edge) == "3");
}

TEST_CASE("an expired twin, an unfit twin and a good one: the good one counts", "[x509]") {
    const Authority root(ca("Root")), good(ca("Issuing"), &root);
    const Authority expired(aged("Issuing"), good, root);
    auto no_ca = ca("Issuing");
    no_ca.ca = false;
    const Authority unfit(no_ca, good, root);
    auto odd_terms = ca("Issuing");
    odd_terms.also = [](gnutls_x509_crt_t certificate) {
        test::must(gnutls_x509_crt_set_extension_by_oid(certificate, "1.2.3.4", "\x05\x00", 2, 1));
    };
    const Authority odd(odd_terms, good, root);
    const Authority edge(leaf(), &good);
    Shape shape;
    shape.trust(root);
    shape.send(expired);
    CHECK(shape.judge(edge) == "expired");
    CHECK(shape.sentence.find("Issuing") != std::string::npos);
    shape.send(unfit);
    shape.send(odd);
    shape.send(good);
    CHECK(shape.judge(edge) == "3");
}

TEST_CASE("a name constraint on one way up leaves the other way open", "[x509]") {
    const Authority root(ca("Root")), other_root(ca("Other root"));
    const Authority policy(ca("Policy"), &root);
    auto narrow_terms = ca("Policy");
    narrow_terms.also = test::dns_constraint("fabrikam.com", true);
    const Authority narrow(narrow_terms, policy, other_root);
    const Authority issuing(ca("Issuing"), &policy);
    auto terms = leaf();
    terms.dns_names = {"mail1.contoso.com"};
    const Authority edge(terms, &issuing);
    Shape shape;
    shape.trust(other_root);
    shape.send(narrow);
    shape.send(policy);
    shape.send(issuing);
    CHECK(shape.judge(edge) == "broken-constraint");
    shape.trust(root);
    CHECK(shape.judge(edge) == "4");
}

TEST_CASE("at every one of seventeen steps a bad alternative stands first, and the path is found", "[x509]") {
    const Ladder ladder(17);
    const Authority edge(leaf(), &ladder.last());
    std::vector<Made> bad;
    Shape shape;
    shape.trust(ladder.root);
    for (std::size_t i = 0; i < ladder.steps.size(); ++i) {
        const auto name = "Step " + std::to_string(i);
        const auto& above = i == 0 ? ladder.root : *ladder.steps[i - 1];
        bad.push_back(std::make_unique<Authority>(aged(name), *ladder.steps[i], above));
        bad.push_back(std::make_unique<Authority>(ca(name), &above));
        bad.push_back(std::make_unique<Authority>(ca(name), *ladder.steps[i], *ladder.steps[i]));
    }
    for (const auto& one : bad) shape.send(*one);
    for (const auto& step : ladder.steps) shape.send(*step);
    CHECK(shape.judge(edge, shape.sent).starts_with("19"));
    std::ranges::reverse(shape.sent);
    CHECK(shape.judge(edge, shape.sent).starts_with("19"));
}

// Twelve CAs of which each certified each: without the measure of distances a walk through all orders of them.
TEST_CASE("a mesh of CAs that all certified each other is crossed straight, and told short where no root is near",
          "[x509]") {
    std::vector<Made> members, mesh;
    for (int i = 0; i < 12; ++i) members.push_back(std::make_unique<Authority>(ca("Member " + std::to_string(i))));
    Shape shape;
    for (std::size_t i = 0; i < members.size(); ++i)
        for (std::size_t k = 0; k < members.size(); ++k) {
            if (i == k) continue;
            mesh.push_back(std::make_unique<Authority>(ca("Member " + std::to_string(i)), *members[i], *members[k]));
            shape.send(*mesh.back());
        }
    const Authority edge(leaf(), members[0].get());
    CHECK(shape.judge(edge, shape.sent) == "unknown-root");
    const Authority root(ca("Root"));
    const Authority door(ca("Member 11"), *members[11], root);
    shape.trust(root);
    shape.send(door);
    CHECK(shape.judge(edge, shape.sent).starts_with("4"));
}

TEST_CASE("an unfit leaf below two ways at each step is told at once", "[x509]") {
    const Ladder ladder(15);
    std::vector<Made> twins;
    Shape shape;
    shape.trust(ladder.root);
    for (std::size_t i = 0; i < ladder.steps.size(); ++i) {
        const auto& above = i == 0 ? ladder.root : *ladder.steps[i - 1];
        twins.push_back(std::make_unique<Authority>(ca("Step " + std::to_string(i)), *ladder.steps[i], above));
        shape.send(*twins.back());
        shape.send(*ladder.steps[i]);
    }
    auto terms = leaf();
    terms.purposes = {GNUTLS_KP_EMAIL_PROTECTION};
    const Authority edge(terms, &ladder.last());
    CHECK(shape.judge(edge) == "wrong-purpose");
    const Authority good(leaf(), &ladder.last());
    CHECK(shape.judge(good, shape.sent).starts_with("17 17"));
}

TEST_CASE("more than a hundred keys under one name are too much work, never a yes", "[x509]") {
    const Authority root(ca("Root"));
    Shape shape;
    shape.trust(root);
    std::vector<Made> namesakes;
    auto silent = ca("Issuing");
    for (int i = 0; i < 110; ++i) {
        namesakes.push_back(std::make_unique<Authority>(silent));
        shape.send(*namesakes.back());
    }
    // Without an authorityKeyIdentifier nothing tells the keys apart but trying.
    CertificateTerms terms = leaf();
    const Authority stranger(silent);
    const Authority edge(terms, &stranger);
    const auto answer = shape.judge(edge, shape.sent);
    CHECK((answer == "unknown-root" || answer == "too-much-work"));
    shape.limits.signatures = 5;
    const Authority below(ca("Issuing"), &root);
    shape.send(below);
    const Authority good(leaf(), &below);
    const auto bounded = shape.judge(good, shape.sent);
    CHECK((bounded == "3" || bounded == "too-much-work"));
}
