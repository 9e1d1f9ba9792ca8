// Stapled OCSP responses as `openssl ocsp` makes them, held against a path.
#include <catch2/catch.hpp>
#include <crl/staple.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <postern/testing/fake_host.hpp>
#include <support/lists.hpp>
#include <x509/ocsp.hpp>

using namespace postern;
using namespace postern::crl;
using test::Authority;
using test::CertificateTerms;

namespace {

CertificateTerms terms_of(const std::string& name, bool ca, std::vector<const char*> purposes = {}) {
    CertificateTerms terms;
    terms.name = name;
    terms.ca = ca;
    terms.purposes = std::move(purposes);
    return terms;
}
CertificateTerms no_check(CertificateTerms terms) {
    terms.also = [](gnutls_x509_crt_t certificate) {
        test::must(gnutls_x509_crt_set_extension_by_oid(certificate, "1.3.6.1.5.5.7.48.1.5", "\x05\x00", 2, 0));
    };
    return terms;
}

struct World {
    Authority root{terms_of("Root", true)};
    Authority edge{terms_of("mail1.contoso.com", false), &root};
    Terms terms{std::chrono::system_clock::now(), {}, RevocationSource::except_short_lived, Profile::modern};
    test::TemporaryFolder folder;
    std::vector<KnownListRef> lists;

    std::string file(const std::string& name, const std::string& text) {
        std::ofstream(folder.path(name)) << text;
        return folder.path(name);
    }
    static std::string serial(const Authority& certificate) {
        return x509::facts(*x509::Certificate::read(certificate.der())).serial;
    }
    // `state` as the index of `openssl ca` has it: "V", "R\t250101000000Z,keyCompromise"; empty: not in it.
    Bytes respond(const std::string& state, const Authority& responder, const std::string& options = "-ndays 1") {
        std::string index;
        if (!state.empty())
            index = state[0] == 'V' ? "V\t351231235959Z\t\t" : "R\t351231235959Z\t" + state.substr(2) + "\t";
        if (!state.empty()) index += serial(edge) + "\tunknown\t/CN=mail1.contoso.com\n";
        file("root.pem", root.pem());
        file("edge.pem", edge.pem());
        file("signer.pem", responder.pem());
        file("signer.key", responder.key_pem());
        file("index", index);
        const auto at = [this](const char* name) { return folder.path(name); };
        const auto command = "openssl ocsp -issuer " + at("root.pem") + " -cert " + at("edge.pem") + " -reqout " +
                             at("request") + " -no_nonce >/dev/null 2>&1 && openssl ocsp -index " + at("index") +
                             " -CA " + at("root.pem") + " -rsigner " + at("signer.pem") + " -rkey " + at("signer.key") +
                             " -reqin " + at("request") + " -respout " + at("response") + " " + options +
                             " >/dev/null 2>&1";
        REQUIRE(std::system(command.c_str()) == 0);
        std::ifstream stream(at("response"), std::ios::binary);
        return Bytes(std::istreambuf_iterator<char>(stream), {});
    }
    StapleSays ask(const Bytes& staple, const Authority& leaf) {
        std::vector<x509::Certificate> path{*x509::Certificate::read(leaf.der()), *x509::Certificate::read(root.der())};
        Deciding deciding(
            std::move(path), {}, [this](const x509::Name&) { return lists; }, terms);
        return read_staple(staple, deciding, terms);
    }
    StapleSays ask(const Bytes& staple) { return ask(staple, edge); }
};

}  // namespace

TEST_CASE("a staple by the issuer says good, revoked and on hold, with date and reason", "[staple]") {
    World world;
    const auto good = world.ask(world.respond("V", world.root));
    REQUIRE(good.answer);
    CHECK(good.answer->standing == RevocationStanding::good);
    CHECK(good.answer->valid_until > world.terms.at + std::chrono::hours(23));
    const auto revoked = world.ask(world.respond("R\t250101000000Z,keyCompromise", world.root));
    REQUIRE(revoked.answer);
    CHECK(revoked.answer->standing == RevocationStanding::revoked);
    CHECK(revoked.answer->sentence.find("keyCompromise") != std::string::npos);
    CHECK(revoked.answer->sentence.find("2025-01-01") != std::string::npos);
    const auto held = world.ask(world.respond("R\t250101000000Z,holdInstruction,holdInstructionReject", world.root));
    REQUIRE(held.answer);
    CHECK(held.answer->standing == RevocationStanding::on_hold);
}

TEST_CASE("a delegated responder answers only with the issuer's leave, and while it stands", "[staple]") {
    World world;
    const Authority delegate(no_check(terms_of("Responder", false, {GNUTLS_KP_OCSP_SIGNING})), &world.root);
    CHECK(world.ask(world.respond("V", delegate)).answer);
    const Authority no_purpose(no_check(terms_of("Responder", false, {GNUTLS_KP_TLS_WWW_SERVER})), &world.root);
    CHECK_FALSE(world.ask(world.respond("V", no_purpose)).answer);
    const Authority any(no_check(terms_of("Responder", false, {GNUTLS_KP_ANY})), &world.root);
    CHECK_FALSE(world.ask(world.respond("V", any)).answer);
    const Authority other_root(terms_of("Root", true));
    const Authority foreign(no_check(terms_of("Responder", false, {GNUTLS_KP_OCSP_SIGNING})), &other_root);
    CHECK_FALSE(world.ask(world.respond("V", foreign)).answer);
    CHECK_FALSE(world.ask(world.respond("V", other_root)).answer);
    auto old = no_check(terms_of("Responder", false, {GNUTLS_KP_OCSP_SIGNING}));
    old.begins = std::chrono::hours(-48);
    old.ends = std::chrono::hours(-1);
    const Authority expired(old, &world.root);
    CHECK_FALSE(world.ask(world.respond("V", expired)).answer);

    const Authority checked(terms_of("Responder", false, {GNUTLS_KP_OCSP_SIGNING}), &world.root);
    const auto staple = world.respond("V", checked);
    CHECK(world.ask(staple).why_not.find("still stands") != std::string::npos);
    const auto list = [](Bytes der) {
        return std::make_shared<const KnownList>(*x509::CertificateList::read(std::move(der)), "list");
    };
    world.lists = {list(make_list(world.root, {}))};
    CHECK(world.ask(staple).answer);
    test::ListTerms revoking;
    revoking.revoked = {&checked};
    world.lists = {list(make_list(world.root, revoking))};
    CHECK_FALSE(world.ask(staple).answer);
}

TEST_CASE("a staple of another day, of another certificate, or that does not know, is no answer", "[staple]") {
    World world;
    const auto staple = world.respond("V", world.root);
    const Authority second(terms_of("mail2.contoso.com", false), &world.root);
    CHECK(world.ask(staple, second).why_not.find("another certificate") != std::string::npos);
    CHECK(world.ask(world.respond("", world.root)).why_not.find("does not know") != std::string::npos);
    const auto endless = world.respond("V", world.root, "");
    CHECK(world.ask(endless).answer);
    world.terms.at += std::chrono::hours(2);
    CHECK(world.ask(staple).answer);
    CHECK(world.ask(endless).why_not.find("ended") != std::string::npos);
    world.terms.at += std::chrono::hours(24);
    CHECK(world.ask(staple).why_not.find("ended") != std::string::npos);
    world.terms.at -= std::chrono::hours(48);
    CHECK(world.ask(staple).why_not.find("not valid before") != std::string::npos);
}

TEST_CASE("every octet of a staple that is changed leaves it without effect", "[staple]") {
    World world;
    const auto staple = world.respond("V", world.root, "-ndays 1 -resp_no_certs");
    REQUIRE(world.ask(staple).answer);
    for (std::size_t size = 0; size < staple.size(); ++size)
        CHECK_FALSE(x509::OcspResponse::read(BytesView(staple).first(size)));
    for (std::size_t at = 0; at < staple.size(); ++at) {
        auto broken = staple;
        broken[at] ^= 0x01;
        CHECK_FALSE(world.ask(broken).answer);
    }
}
