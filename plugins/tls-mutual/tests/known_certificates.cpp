#include <catch2/catch.hpp>
#include <tls-mutual/known_certificates.hpp>

using namespace postern;
using namespace postern::tls_mutual;

namespace {
KnownCertificate named(unsigned number, std::size_t octets = 16) {
    KnownCertificate one;
    one.facts.der.assign(octets, static_cast<std::uint8_t>(number & 0xff));
    one.facts.der[0] = static_cast<std::uint8_t>(number >> 8);
    one.facts.subject = "CN=" + std::to_string(number);
    return one;
}
}  // namespace

TEST_CASE("a certificate is known by every octet of it", "[known-certificates]") {
    KnownCertificates known;
    known.keep(named(1));
    auto other = named(1).facts.der;
    REQUIRE(known.find(other));
    CHECK(known.find(other)->facts.subject == "CN=1");
    other.back() ^= 1;
    CHECK_FALSE(known.find(other));
}

TEST_CASE("what is kept again replaces what was known", "[known-certificates]") {
    KnownCertificates known;
    known.keep(named(1));
    auto agreed = named(1);
    agreed.key_agrees = true;
    known.keep(agreed);
    CHECK(known.size() == 1);
    CHECK(known.find(agreed.facts.der)->key_agrees);
}

TEST_CASE("the certificates that nobody showed lately are forgotten first", "[known-certificates]") {
    KnownCertificates known;
    const auto first = named(0).facts.der, second = named(1).facts.der;
    for (unsigned i = 0; i < KnownCertificates::most; ++i) known.keep(named(i));
    REQUIRE(known.find(first));
    known.keep(named(9999));
    CHECK(known.size() == KnownCertificates::most);
    CHECK(known.find(first));
    CHECK_FALSE(known.find(second));
}

TEST_CASE("a certificate beyond all measure is not kept", "[known-certificates]") {
    KnownCertificates known;
    known.keep(named(1, KnownCertificates::longest + 1));
    CHECK(known.size() == 0);
}
