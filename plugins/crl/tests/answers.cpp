// The forms in which lists arrive: DER, several, PEM, PKCS#7 (made by openssl), and what is none of them.
#include <catch2/catch.hpp>
#include <crl/list_answer.hpp>
#include <postern/testing/fake_host.hpp>
#include <support/lists.hpp>
#include <support/loopback.hpp>

using namespace postern;
using namespace postern::crl;
using test::Authority;

namespace {

struct World {
    World() {
        test::CertificateTerms ca;
        ca.name = "Root";
        ca.ca = true;
        root = std::make_unique<Authority>(ca);
        list = make_list(*root, {});
        write("a.crl", list);
        test::write_file(folder.path("root.pem"), root->pem());
    }
    void write(const std::string& name, const Bytes& octets) {
        test::write_file(folder.path(name), std::string(octets.begin(), octets.end()));
    }
    // What openssl makes of the list with these arguments.
    Bytes openssl(const std::string& arguments) {
        const auto command = "cd " + folder.path() + " && openssl " + arguments + " -out made 2>openssl.log";
        REQUIRE(std::system(command.c_str()) == 0);
        const auto text = test::read_file(folder.path("made"));
        return {text.begin(), text.end()};
    }

    test::TemporaryFolder folder;
    std::unique_ptr<Authority> root;
    Bytes list;
};

std::string refusal_of(Bytes answer) {
    const auto lists = lists_of(std::move(answer));
    return lists ? "taken" : lists.failure.token + ": " + lists.failure.text;
}
Bytes octets(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

TEST_CASE("a list is found in DER, in PEM and in PKCS#7", "[crl]") {
    World world;
    const std::vector<Bytes> one{world.list};
    CHECK(*lists_of(world.list) == one);
    CHECK(*lists_of(world.openssl("crl -inform DER -in a.crl")) == one);
    CHECK(*lists_of(world.openssl("crl2pkcs7 -inform DER -in a.crl -outform DER")) == one);
    CHECK(*lists_of(world.openssl("crl2pkcs7 -inform DER -in a.crl -outform PEM")) == one);
    CHECK(*lists_of(world.openssl("crl2pkcs7 -inform DER -in a.crl -certfile root.pem -outform DER")) == one);
}

TEST_CASE("several lists in one answer are told apart", "[crl]") {
    World world;
    auto two = world.list;
    two.insert(two.end(), world.list.begin(), world.list.end());
    CHECK(lists_of(two)->size() == 2);
    Bytes many;
    for (int i = 0; i < 17; ++i) many.insert(many.end(), world.list.begin(), world.list.end());
    CHECK(refusal_of(many).find("more than 16") != std::string::npos);
    auto pem = world.openssl("crl -inform DER -in a.crl");
    Bytes pems;
    for (int i = 0; i < 17; ++i) pems.insert(pems.end(), pem.begin(), pem.end());
    CHECK(refusal_of(pems).find("more than 16") != std::string::npos);
}

TEST_CASE("what is no list is refused, and the operator is told what came instead", "[crl]") {
    World world;
    CHECK(refusal_of({}) == "crl-unverifiable: the answer is empty");
    CHECK(refusal_of(octets("<html>Please log in</html>")).find("begins \"<html>Please log in</html>\"") !=
          std::string::npos);
    CHECK(refusal_of({0x00, 0x01, 0x02}).find("neither DER, PEM nor PKCS#7") != std::string::npos);
    auto cut = world.list;
    cut.pop_back();
    CHECK(refusal_of(cut).find("cut off") != std::string::npos);
    auto trailing = world.list;
    trailing.push_back('\n');
    CHECK(refusal_of(trailing).find("stands behind") != std::string::npos);
    CHECK(refusal_of(octets("-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----")).find("not base64") !=
          std::string::npos);
    CHECK(refusal_of(world.openssl("crl2pkcs7 -nocrl -certfile root.pem -outform DER"))
              .find("without a revocation list") != std::string::npos);
    auto wrapped = world.openssl("crl2pkcs7 -inform DER -in a.crl -outform DER");
    for (std::size_t at = 0; at < 60; ++at) {
        auto broken = wrapped;
        broken[at] ^= 0x55;
        CAPTURE(at);
        const auto lists = lists_of(broken);  // refused, or what is found in it is looked at by the decoder
        if (lists) CHECK(lists->size() <= most_lists_an_answer);
    }
}
