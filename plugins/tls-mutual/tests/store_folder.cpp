#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <tls-mutual/store/making.hpp>
#include <tls-mutual/store/store.hpp>

#include "pki.hpp"

using postern::Bytes;
using postern::Ref;
using tls_test::make_pair;
using tls_test::must;
using tls_test::Pair;
using namespace postern::tls_mutual;

namespace {

// Every file with its contents.
std::map<std::string, std::string> all_of(const std::string& folder) {
    std::map<std::string, std::string> all;
    for (const auto& one : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(one.path(), std::ios::binary);
        all[one.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
    }
    return all;
}

// As on a full disk: no file grows beyond `octets` while it lives.
class NoRoom {
public:
    explicit NoRoom(rlim_t octets) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{octets, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
    }
    ~NoRoom() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int) = nullptr;
};

struct Made {
    Bytes der;
    Secret key;
};

Made make(const std::string& name) {
    CertificateTerms terms;
    terms.subject.values.push_back({NamePart::common, name});
    terms.dns_names = {name};
    const auto key = make_key(KeyType::p256);
    REQUIRE(key);
    auto der = make_self_signed(terms, key->get(), std::chrono::system_clock::now());
    auto pem = key_to_pem(key->get());
    REQUIRE(der);
    REQUIRE(pem);
    return {*der, std::move(*pem)};
}

Attributes attributes(const std::string& friendly_name) {
    Attributes about;
    about.friendly_name = friendly_name;
    return about;
}

}  // namespace

TEST_CASE("what is put into the store comes back, and its files are its owner's alone", "[tls-mutual]") {
    const tls_test::Folder folder;
    const CertificateStore store(folder.path("store"));
    const auto made = make("mail1.contoso.com");
    {
        const auto lock = store.lock();
        REQUIRE(lock);
        REQUIRE(store.add(attributes("Internet certificate"), {made.der}, made.key));
    }
    const auto contents = store.read();
    REQUIRE(contents.certificates.size() == 1);
    const auto& one = contents.certificates.front();
    CHECK(one.about.friendly_name == "Internet certificate");
    CHECK(one.leaf.dns_names == std::vector<std::string>{"mail1.contoso.com"});
    CHECK(contents.damaged.empty());
    struct stat about {};
    REQUIRE(::stat(one.file.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
    REQUIRE(::stat(store.path().c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0700);
    const auto by_sha1 = contents.find(one.leaf.sha1);
    CHECK(by_sha1);
    CHECK(contents.find(one.leaf.sha256.substr(0, 8)));
    CHECK_FALSE(contents.find(one.leaf.sha256.substr(0, 7)));
    CHECK_FALSE(contents.find("00000000"));
}

TEST_CASE("a change keeps certificate and key, and a removed one is gone", "[tls-mutual]") {
    const tls_test::Folder folder;
    const CertificateStore store(folder.path("store"));
    const auto made = make("mail1.contoso.com");
    const auto lock = store.lock();
    REQUIRE(store.add(attributes(""), {made.der}, made.key));
    auto one = store.read().certificates.front();
    auto about = one.about;
    about.smtp = true;
    REQUIRE(store.change(one, about));
    one = store.read().certificates.front();
    CHECK(one.about.smtp);
    const auto file = store.open(one.file);
    REQUIRE(file);
    CHECK(std::string(key_block(file->text())) + "\n" == made.key.text());
    REQUIRE(store.remove(one));
    CHECK(store.read().certificates.empty());
}

TEST_CASE("where there is no room everything stands as before, at every length", "[tls-mutual]") {
    const tls_test::Folder folder;
    const CertificateStore store(folder.path("store"));
    const auto made = make("mail1.contoso.com"), more = make("mail2.contoso.com");
    const auto lock = store.lock();
    REQUIRE(store.add(attributes("one"), {made.der}, made.key));
    const auto before = all_of(store.path());
    const auto one = store.read().certificates.front();
    for (const rlim_t room : {0, 1, 100, 500, 900}) {
        const NoRoom full(room);
        const auto added = store.add(attributes("two"), {more.der}, more.key);
        REQUIRE_FALSE(added);
        CHECK(added.failure.token == "cannot-write");
        CHECK(added.failure.text.find("make room and try again; nothing was changed") != std::string::npos);
        CHECK_FALSE(store.change(one, attributes("changed")));
    }
    CHECK(all_of(store.path()) == before);
}

TEST_CASE("what a killed command left behind goes with the next lock", "[tls-mutual]") {
    const tls_test::Folder folder;
    const CertificateStore store(folder.path("store"));
    { const auto lock = store.lock(); }
    std::ofstream(store.path() + "/.new-1-abc.pem") << "half a key";
    CHECK(store.read().damaged.empty());
    const auto lock = store.lock();
    CHECK_FALSE(std::filesystem::exists(store.path() + "/.new-1-abc.pem"));
}

TEST_CASE("one command at a time: the second waits, then says so", "[tls-mutual]") {
    const tls_test::Folder folder;
    const CertificateStore store(folder.path("store"));
    {
        const auto first = store.lock();
        REQUIRE(first);
        const auto second = store.lock();
        REQUIRE_FALSE(second);
        CHECK(second.failure.token == "busy");
        CHECK(second.failure.text.find(store.path() + " is being changed by another command") != std::string::npos);
    }
    CHECK(store.lock());
}

TEST_CASE("a folder that others may enter is refused with its remedy", "[tls-mutual]") {
    const tls_test::Folder folder;
    const CertificateStore store(folder.path("store"));
    { const auto lock = store.lock(); }
    ::chmod(store.path().c_str(), 0750);
    const auto lock = store.lock();
    REQUIRE_FALSE(lock);
    CHECK(lock.failure.text.find("chmod 700 " + store.path()) != std::string::npos);
}

TEST_CASE("a damaged file is named and the others are in use", "[tls-mutual]") {
    const tls_test::Folder folder;
    const CertificateStore store(folder.path("store"));
    const auto made = make("mail1.contoso.com");
    {
        const auto lock = store.lock();
        REQUIRE(store.add(attributes(""), {made.der}, made.key));
    }
    const auto good = all_of(store.path());
    const auto content = good.rbegin()->second;
    const auto damage = [&](const std::string& text, const std::string& wanted) {
        std::ofstream(store.path() + "/broken.pem", std::ios::binary) << text;
        ::chmod((store.path() + "/broken.pem").c_str(), 0600);
        const auto contents = store.read();
        CHECK(contents.certificates.size() == 1);
        REQUIRE(contents.damaged.size() == 1);
        INFO(contents.damaged.front().text);
        CHECK(contents.damaged.front().text.find(store.path() + "/broken.pem: ") == 0);
        CHECK(contents.damaged.front().text.find(wanted) != std::string::npos);
    };
    damage("", "is empty");
    damage("nothing of ours\n", "does not know");
    damage(content.substr(0, content.find("-----BEGIN PRIVATE")), "its private key is missing");
    damage(content.substr(0, content.find("-----END CERT") - 40), "has no end");
    damage("later: yes\n" + content, "does not know");
}

TEST_CASE("an identity of two kinds of key shows each peer the one that it can check", "[tls-mutual]") {
    const auto ecdsa = make_pair("mail1.contoso.com"), rsa = make_pair("mail1.contoso.com", GNUTLS_PK_RSA);
    const auto parts = [](const Pair& pair) {
        const auto text = std::make_shared<std::string>(pair.key);
        const auto open = [text](int& status) {
            return import_key({reinterpret_cast<const std::uint8_t*>(text->data()), text->size()}, status);
        };
        const tls_test::Folder files;
        Engine engine;
        auto loaded = engine.load({"x", files.write("c", pair.certificate), files.write("k", pair.key)});
        REQUIRE(loaded);
        return IdentityParts{"chain", "key", (*loaded)->chain(), open, false};
    };
    auto both = make_identity({parts(ecdsa), parts(rsa)});
    REQUIRE(both);
    const auto shown = [&](const char* signatures) {
        gnutls_session_t client = nullptr;
        must(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK));
        const SessionHandle held(client);
        must(gnutls_priority_set_direct(client, signatures, nullptr));
        gnutls_certificate_credentials_t raw = nullptr;
        must(gnutls_certificate_allocate_credentials(&raw));
        const CredentialsHandle credentials(raw);
        must(gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, raw));
        Engine engine;
        auto server = engine.accept({Ref<postern::TlsIdentity>(*both), false, postern::TlsVersion::tls12, false});
        REQUIRE(server);
        Bytes to_server, to_client;
        struct Wire {
            Bytes *in, *out;
        } wire{&to_client, &to_server};
        gnutls_transport_set_ptr(client, &wire);
        gnutls_transport_set_push_function(client, [](gnutls_transport_ptr_t at, const void* data, size_t size) {
            auto& out = *static_cast<Wire*>(at)->out;
            const auto* octets = static_cast<const std::uint8_t*>(data);
            out.insert(out.end(), octets, octets + size);
            return static_cast<ssize_t>(size);
        });
        gnutls_transport_set_pull_function(client, [](gnutls_transport_ptr_t at, void* data, size_t size) -> ssize_t {
            auto& in = *static_cast<Wire*>(at)->in;
            if (in.empty()) {
                errno = EAGAIN;
                return -1;
            }
            const auto count = std::min(size, in.size());
            std::copy_n(in.begin(), count, static_cast<std::uint8_t*>(data));
            in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
            return static_cast<ssize_t>(count);
        });
        auto server_status = postern::TlsStatus::want_input;
        for (int turn = 0; turn < 20 && server_status == postern::TlsStatus::want_input; ++turn) {
            (void)gnutls_handshake(client);
            (*server)->feed(std::exchange(to_server, {}));
            server_status = (*server)->handshake();
            (*server)->drain(to_client);
        }
        REQUIRE(server_status == postern::TlsStatus::ok);
        const auto* pair = static_cast<const Session*>((*server).get())->presented();
        REQUIRE(pair);
        return key_text(pair->facts.der);
    };
    CHECK(shown("NORMAL") == "ECDSA P-256");
    CHECK(shown("NORMAL:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256") == "RSA 2048");
    CHECK(shown("NORMAL:-VERS-ALL:+VERS-TLS1.2:-SIGN-ALL:+SIGN-RSA-SHA256") == "RSA 2048");
}
