// Issuers that a chain came without, fetched over real HTTP (nginx, and the fetcher of proxy-winhttp).
#include <gnutls/pkcs7.h>
#include <gnutls/x509-ext.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <postern/testing/fake_host.hpp>
#include <proxy-winhttp/fetcher.hpp>
#include <proxy-winhttp/proxy_file.hpp>
#include <support/authority.hpp>
#include <support/loopback.hpp>
#include <tls-mutual/judge.hpp>
#include <x509/pkcs7.hpp>

using namespace postern;
using namespace postern::tls_mutual;
using test::Authority;
using test::CertificateTerms;

namespace {

std::function<void(gnutls_x509_crt_t)> issuer_at(std::vector<std::string> urls) {
    return [urls = std::move(urls)](gnutls_x509_crt_t certificate) {
        for (const auto& url : urls) {
            std::string text = url;
            const gnutls_datum_t datum{reinterpret_cast<unsigned char*>(text.data()),
                                       static_cast<unsigned>(text.size())};
            test::must(gnutls_x509_crt_set_authority_info_access(certificate, GNUTLS_IA_CAISSUERS_URI,
                                                                 const_cast<gnutls_datum_t*>(&datum)));
        }
    };
}

Bytes message_of(const std::vector<const Authority*>& certificates, gnutls_x509_crt_fmt_t format) {
    gnutls_pkcs7_t message;
    test::must(gnutls_pkcs7_init(&message));
    for (const auto* one : certificates) test::must(gnutls_pkcs7_set_crt(message, one->certificate()));
    gnutls_datum_t out{};
    test::must(gnutls_pkcs7_export2(message, format, &out));
    Bytes octets(out.data, out.data + out.size);
    gnutls_free(out.data);
    gnutls_pkcs7_deinit(message);
    return octets;
}

struct World {
    World() {
        host.offer<ProxyResolver>(proxy);
        host.offer<Fetcher>(fetcher, "http");
        judge.use(host);
        FetchRules rules;
        rules.allowed_hosts = {"127.0.0.1"};
        rules.allowed_ports = {nginx.port()};
        rules.allow_private = true;
        judge.fetch_by(rules);
        std::ofstream(folder.path("root.pem")) << root.pem();
        scopes = *judge.load_scopes(
            {{"", false, {folder.path("root.pem")}, {}}, {"other.example", false, {folder.path("root.pem")}, {}}});
    }
    bool make_folders() {
        std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
        return std::filesystem::create_directories(folder.path("web"));
    }
    void serve(const std::string& name, const Bytes& octets) {
        test::write_file(folder.path("web/" + name), std::string(octets.begin(), octets.end()));
    }
    JudgeRequest request(const Authority& certificate, const std::string& scope = {}) const {
        JudgeRequest one;
        one.chain = {certificate.der()};
        one.scopes = scopes;
        one.scope = scope;
        one.purpose = Purpose::server;
        one.revocation = RevocationMode::off;
        one.at = std::chrono::system_clock::now();
        return one;
    }
    Judgement learn(const Authority& certificate) {
        auto judged = test::wait_for(judge.judge_and_learn(request(certificate)));
        REQUIRE(judged);
        return *judged;
    }
    Judgement ask(const Authority& certificate, const std::string& scope = {}) {
        auto judged = test::wait_for(judge.judge(request(certificate, scope)));
        REQUIRE(judged);
        return *judged;
    }
    static CertificateTerms terms(const std::string& name, bool ca, std::vector<std::string> urls) {
        CertificateTerms wanted;
        wanted.name = name;
        wanted.ca = ca;
        if (!urls.empty()) wanted.also = issuer_at(std::move(urls));
        return wanted;
    }

    test::TemporaryFolder folder;
    test::FakeHost host;
    bool prepared = make_folders();
    test::Nginx nginx{folder.path("web")};
    proxy_winhttp::ProxyFile proxy{host};
    proxy_winhttp::HttpFetcher fetcher{host};
    Authority root{terms("Root", true, {})};
    Authority policy{terms("Policy", true, {}), &root};
    Authority issuing{terms("Issuing", true, {nginx.url("/policy.p7c")}), &policy};
    Authority edge{terms("mail1.contoso.com", false, {nginx.url("/gone.crt"), nginx.url("/issuing.crt")}), &issuing};
    Judge judge{"/nonexistent"};
    Ref<TrustScopes> scopes;
};

}  // namespace

TEST_CASE("missing issuers are fetched, as a certificate and as PKCS#7, and only by who may", "[learning]") {
    World world;
    world.serve("issuing.crt", world.issuing.der());
    world.serve("policy.p7c", message_of({&world.root, &world.policy}, GNUTLS_X509_FMT_DER));
    CHECK(world.ask(world.edge).reason == "incomplete-chain");
    const auto learned = world.learn(world.edge);
    CHECK(learned.sentence.find("is valid under") != std::string::npos);
    CHECK(learned.standing == Standing::valid);
    CHECK(learned.path.size() == 4);
}

TEST_CASE("what stood on a valid path serves that scope from then on, without a fetch, and no other", "[learning]") {
    World world;
    world.serve("issuing.crt", world.issuing.der());
    const auto everything = message_of({&world.root, &world.policy}, GNUTLS_X509_FMT_PEM);
    world.serve("policy.p7c", everything);
    CHECK(world.ask(world.edge).standing == Standing::invalid);
    CHECK(world.learn(world.edge).standing == Standing::valid);
    CHECK(world.ask(world.edge).standing == Standing::valid);
    const Authority second(World::terms("mail2.contoso.com", false, {}), &world.issuing);
    CHECK(world.ask(second).standing == Standing::valid);
    CHECK(world.ask(second, "other.example").standing == Standing::invalid);
}

TEST_CASE("what is fetched and leads nowhere is told, believed in nothing and forgotten", "[learning]") {
    World world;
    world.serve("gone.crt", Bytes{'<', 'h', 't', 'm', 'l', '>'});
    const Authority foreign(World::terms("Foreign", true, {}));
    const Authority impostor(World::terms("Issuing", true, {}), &foreign);
    world.serve("issuing.crt", impostor.der());
    const auto judged = world.learn(world.edge);
    CHECK(judged.standing == Standing::invalid);
    CHECK(judged.reason == "unknown-root");
    CHECK(judged.sentence.find("/gone.crt") != std::string::npos);
    CHECK(world.ask(world.edge).standing == Standing::invalid);
    world.serve("issuing.crt", world.issuing.der());
    world.serve("policy.p7c", world.policy.der());
    CHECK(world.learn(world.edge).standing == Standing::valid);
}

TEST_CASE("a certificate sends us to a few places at most, and to none that we do not fetch from", "[learning]") {
    World world;
    std::vector<std::string> urls{"ldap://127.0.0.1/cn=ca", "file:///etc/passwd", "ftp://127.0.0.1/ca.crt"};
    for (int i = 0; i < 20; ++i) urls.push_back(world.nginx.url("/" + std::to_string(i) + ".crt"));
    const Authority greedy(World::terms("mail3.contoso.com", false, urls), &world.issuing);
    const auto judged = world.learn(greedy);
    CHECK(judged.standing == Standing::invalid);
    CHECK(judged.sentence.find("/5.crt") != std::string::npos);
    CHECK(judged.sentence.find("/6.crt") == std::string::npos);
    CHECK(judged.sentence.find("passwd") == std::string::npos);
    FetchRules strict;
    world.judge.fetch_by(strict);
    const Authority near(World::terms("mail4.contoso.com", false, {world.nginx.url("/issuing.crt")}), &world.issuing);
    world.serve("issuing.crt", world.issuing.der());
    CHECK(world.learn(near).standing == Standing::invalid);
}

TEST_CASE("messages of certificates are read strictly", "[learning]") {
    World world;
    const auto message = message_of({&world.root, &world.policy}, GNUTLS_X509_FMT_DER);
    CHECK(x509::read_issuer_certificates(message)->size() == 2);
    CHECK(x509::read_issuer_certificates(world.root.der())->size() == 1);
    CHECK_FALSE(x509::read_issuer_certificates({}));
    for (std::size_t size = 0; size < message.size(); ++size)
        CHECK_FALSE(x509::read_issuer_certificates(BytesView(message).first(size)));
    for (std::size_t at = 0; at < message.size(); ++at) {
        auto broken = message;
        broken[at] ^= 0x20;
        x509::read_issuer_certificates(broken);  // whatever it says, it says it without a fault
    }
}
