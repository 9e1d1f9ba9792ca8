#include <catch2/catch.hpp>

#include "pki.hpp"

using namespace tls_test;

namespace {

struct Files {
    Folder folder;
    Pair pair = make_pair("mail1.contoso.com");
    tls_mutual::Engine engine;

    Outcome<Ref<TlsIdentity>> load(const std::string& chain, const std::string& key, mode_t mode = 0600) {
        return engine.load({"edge", folder.write("edge.pem", chain), folder.write("edge.key", key, mode)});
    }
    // The refusal's text.
    std::string refused(const std::string& chain, const std::string& key, mode_t mode = 0600) {
        auto outcome = load(chain, key, mode);
        REQUIRE_FALSE(outcome);
        CHECK(outcome.failure.token == "no-own-certificate");
        return outcome.failure.text;
    }
};

}  // namespace

TEST_CASE("a chain and its key load, and the leaf comes first", "[tls-mutual]") {
    Files files;
    const auto issuer = make_pair("an intermediate");
    auto identity = files.load(files.pair.certificate + "\n" + issuer.certificate, files.pair.key, 0640);
    REQUIRE(identity);
    CHECK((*identity)->chain().size() == 2);
    CHECK((*identity)->certificate().der == (*identity)->chain()[0]);
    CHECK((*identity)->certificate().dns_names == std::vector<std::string>{"mail1.contoso.com"});
}

TEST_CASE("a key open to other users is refused with its remedy", "[tls-mutual]") {
    Files files;
    for (const mode_t mode : {0644, 0604, 0642, 0601}) {
        const auto text = files.refused(files.pair.certificate, files.pair.key, mode);
        CHECK(text.find("edge.key") != std::string::npos);
        CHECK(text.find("chmod o=") != std::string::npos);
    }
}

TEST_CASE("a key of another certificate is refused", "[tls-mutual]") {
    Files files;
    const auto other = make_pair("other.contoso.com");
    CHECK(files.refused(files.pair.certificate, other.key).find("is not the key of") != std::string::npos);
}

TEST_CASE("a chain that does not begin with the leaf says where the leaf is", "[tls-mutual]") {
    Files files;
    const auto issuer = make_pair("an intermediate");
    const auto text = files.refused(issuer.certificate + files.pair.certificate, files.pair.key);
    CHECK(text.find("number 2 of the chain; put it first") != std::string::npos);
}

TEST_CASE("damaged, empty, missing, swapped and odd files are refused by name", "[tls-mutual]") {
    Files files;
    const auto& pair = files.pair;
    CHECK(files.refused("", pair.key).find("edge.pem: is empty") != std::string::npos);
    CHECK(files.refused("no PEM at all", pair.key).find("edge.pem: holds no readable") != std::string::npos);
    CHECK(files.refused(pair.certificate.substr(0, 300), pair.key).find("edge.pem") != std::string::npos);
    CHECK(files.refused(pair.certificate, pair.certificate).find("edge.key: holds no readable") != std::string::npos);
    CHECK(files.refused(pair.certificate, pair.key.substr(0, 90)).find("edge.key") != std::string::npos);
    CHECK(files.refused(std::string(2u << 20, 'x'), pair.key).find("larger than 1 MiB") != std::string::npos);
    std::string many;
    for (int count = 0; count < 17; ++count) many += pair.certificate;
    CHECK(files.refused(many, pair.key).find("more than 16") != std::string::npos);
    auto missing = files.engine.load({"edge", "/nonexistent/edge.pem", "/nonexistent/edge.key"});
    REQUIRE_FALSE(missing);
    CHECK(missing.failure.text.find("/nonexistent/edge.pem: No such file") != std::string::npos);
    auto device = files.engine.load({"edge", "/dev/zero", "/dev/zero"});
    REQUIRE_FALSE(device);
    CHECK(device.failure.text.find("not a regular file") != std::string::npos);
}

TEST_CASE("an encrypted key is refused, never asked about", "[tls-mutual]") {
    Files files;
    gnutls_x509_privkey_t key;
    must(gnutls_x509_privkey_init(&key));
    must(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0));
    std::string pem(8192, '\0');
    auto size = pem.size();
    must(gnutls_x509_privkey_export_pkcs8(key, GNUTLS_X509_FMT_PEM, "secret", GNUTLS_PKCS_PBES2_AES_256, pem.data(),
                                          &size));
    gnutls_x509_privkey_deinit(key);
    pem.resize(size);
    const auto text = files.refused(files.pair.certificate, pem);
    CHECK(text.find("edge.key: ") != std::string::npos);
    CHECK(text.find("secret") == std::string::npos);
}
