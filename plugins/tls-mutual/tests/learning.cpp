// Issuers that a chain came without, fetched over real HTTP (nginx, and the fetcher of proxy-winhttp).
#include <gnutls/pkcs7.h>
#include <gnutls/x509-ext.h>

#include <catch2/catch.hpp>
#include <crl/checker.hpp>
#include <fstream>
#include <future>
#include <postern/testing/fake_host.hpp>
#include <proxy-winhttp/fetcher.hpp>
#include <proxy-winhttp/proxy_file.hpp>
#include <support/lists.hpp>
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

namespace {

// The pool has one thread: what was given to it before has ended when this returns.
void wait_for_pool(test::FakeHost& host) {
    std::promise<void> done;
    host.offload([&] { done.set_value(); });
    done.get_future().wait();
}

// A daemon's judge over the same folder: what the one before it learned is all that it has.
struct NextDaemon {
    explicit NextDaemon(World& before) : world(before) {
        judge.use(world.host);
        judge.remember_in(world.folder.path("issuers"));
        scopes = *judge.load_scopes({{"", false, {world.folder.path("root.pem")}, {}}});
    }
    ~NextDaemon() { wait_for_pool(world.host); }  // where it may still write what it learned
    std::string ask(const Authority& certificate) {
        auto request = world.request(certificate);
        request.scopes = scopes;
        const auto judged = test::wait_for(judge.judge(std::move(request)));
        REQUIRE(judged);
        return judged->standing == Standing::valid ? "valid" : judged->reason;
    }
    World& world;
    Judge judge{"/nonexistent"};
    Ref<TrustScopes> scopes;
};

// Learns once and waits until it lies on disk; answers the file.
std::string learn_for_good(World& world) {
    world.serve("issuing.crt", world.issuing.der());
    world.serve("policy.p7c", world.policy.der());
    world.judge.remember_in(world.folder.path("issuers"));
    CHECK(world.learn(world.edge).standing == Standing::valid);
    wait_for_pool(world.host);
    for (const auto& one : std::filesystem::directory_iterator(world.folder.path("issuers")))
        if (one.path().extension() == ".issuers") return one.path();
    FAIL("nothing was kept");
    return {};
}

}  // namespace

TEST_CASE("what was learned is there after a restart, for its owner alone, without a fetch", "[learning]") {
    World world;
    const auto file = learn_for_good(world);
    const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
    for (const auto& path : {file, world.folder.path("issuers")})
        CHECK((std::filesystem::status(path).permissions() & others) == std::filesystem::perms::none);
    std::filesystem::remove_all(world.folder.path("web"));
    NextDaemon next(world);
    CHECK(next.ask(world.edge) == "valid");
    // Of what it knows it believes nothing: an issuer of a foreign root leads to none of ours.
    const Authority foreign(World::terms("Root", true, {}));
    CHECK(next.ask(Authority(World::terms("mail9.contoso.com", false, {}), &foreign)) == "unknown-root");
    world.host.set_clock(world.host.now() + std::chrono::hours(24 * 365 * 40));
    NextDaemon much_later(world);
    CHECK(much_later.ask(world.edge) == "incomplete-chain");  // what has ended is not taken up again
}

TEST_CASE("a damaged file of learned issuers is set aside, and they are fetched again", "[learning]") {
    World world;
    const auto path = learn_for_good(world);
    std::ifstream stream(path, std::ios::binary);
    const std::string whole(std::istreambuf_iterator<char>(stream), {});
    const auto damaged = [&](const std::string& content) {
        std::filesystem::remove(path + ".bad");
        test::write_file(path, content);
        const auto before = world.host.logged.size();
        NextDaemon next(world);
        CHECK(next.ask(world.edge) == "incomplete-chain");
        CHECK(std::filesystem::exists(path + ".bad"));
        REQUIRE(world.host.logged.size() == before + 1);
        CHECK(world.host.logged.back().find("issuers-not-kept: " + path + " is damaged") == 0);
    };
    for (const std::size_t size : {std::size_t{0}, std::size_t{10}, whole.size() / 2, whole.size() - 1})
        damaged(whole.substr(0, size));
    for (const std::size_t at :
         {std::size_t{3}, std::size_t{30}, std::size_t{92}, whole.size() / 2, whole.size() - 1}) {
        auto flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x01);
        damaged(flipped);
    }
    world.judge.fetch_by({});  // what this daemon knows stays; the next one fetches it anew
    NextDaemon next(world);
    FetchRules rules;
    rules.allowed_hosts = {"127.0.0.1"};
    rules.allowed_ports = {world.nginx.port()};
    rules.allow_private = true;
    next.judge.fetch_by(rules);
    auto request = world.request(world.edge);
    request.scopes = next.scopes;
    CHECK(test::wait_for(next.judge.judge_and_learn(std::move(request)))->standing == Standing::valid);
}

TEST_CASE("a folder of learned issuers that others may enter is not used, and said so", "[learning]") {
    World world;
    std::filesystem::create_directory(world.folder.path("issuers"));
    std::filesystem::permissions(world.folder.path("issuers"), std::filesystem::perms::all);
    NextDaemon next(world);
    REQUIRE(world.host.logged.size() == 1);
    CHECK(world.host.logged[0].find("known until the daemon ends") != std::string::npos);
}

TEST_CASE("what is learned is bounded, the oldest of a scope goes first", "[learning]") {
    LearnedIssuers learned;
    std::vector<std::unique_ptr<Authority>> many;
    for (std::size_t i = 0; i <= LearnedIssuers::most_of_scope; ++i) {
        many.push_back(std::make_unique<Authority>(World::terms("CA " + std::to_string(i), true, {})));
        CHECK(learned.keep("a.example", *x509::Certificate::read(many.back()->der())));
    }
    CHECK_FALSE(learned.keep("a.example", *x509::Certificate::read(many.back()->der())));
    const auto kept = learned.of("a.example");
    CHECK(kept.size() == LearnedIssuers::most_of_scope);
    CHECK(x509::equal(kept.front().der(), many[1]->der()));
    CHECK(learned.of("b.example").empty());
}

TEST_CASE("who signed a list is fetched from where the list says, by who may, and known from then on", "[learning]") {
    World world;
    // The CA has a second key, which signs its lists; nobody sends that certificate along.
    auto second_key = World::terms("Issuing", true, {});
    second_key.key_usage = GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN;
    const Authority lister(second_key, &world.root);
    const auto first_key = World::terms("Issuing", true, {});
    const Authority issuing(first_key, &world.root);
    auto leaf = World::terms("mail1.contoso.com", false, {});
    leaf.crl_urls = {world.nginx.url("/issuing.crl")};
    const Authority edge(leaf, &issuing);
    test::ListTerms list;
    list.signer_at = world.nginx.url("/lister.crt");
    world.serve("issuing.crl", make_list(lister, list));
    world.serve("lister.crt", lister.der());
    crl::ListStore store(world.host);
    crl::Flights flights(world.host, store);
    crl::Settings settings;
    settings.hosts = {"127.0.0.1"};
    settings.ports = {world.nginx.port()};
    settings.allow_private = true;
    flights.configure(settings);
    crl::Checker checker(store, flights);
    world.host.offer<PooledRevocationChecker>(checker);
    world.host.offer<SignerHints>(checker);
    const auto request = [&](const std::string& scope) {
        auto one = world.request(edge, scope);
        one.chain.push_back(issuing.der());
        one.revocation = RevocationMode::hard;
        one.revocation_source = RevocationSource::if_present;
        one.may_fetch = true;
        return one;
    };
    // The issuing CA names no list, which is the policy's matter; the leaf's list is by a stranger's key.
    const auto alone = *test::wait_for(world.judge.judge(request("")));
    CHECK(alone.standing == Standing::undecided);
    CHECK(alone.reason == "crl-unverifiable");
    const auto learned = *test::wait_for(world.judge.judge_and_learn(request("")));
    INFO(learned.sentence);
    CHECK(learned.standing == Standing::valid);
    std::filesystem::remove(world.folder.path("web/lister.crt"));
    CHECK(test::wait_for(world.judge.judge(request("")))->standing == Standing::valid);
    CHECK(test::wait_for(world.judge.judge(request("other.example")))->standing == Standing::undecided);
    // An impostor there signs for nobody: his path leads to another root.
    const Authority foreign(World::terms("Foreign", true, {}));
    const Authority impostor(second_key, &foreign);
    list.signer_at = world.nginx.url("/impostor.crt");
    list.number = 2;
    world.serve("impostor.crt", impostor.der());
    world.serve("impostor.crl", make_list(impostor, list));
    leaf.crl_urls = {world.nginx.url("/impostor.crl")};
    const Authority other(leaf, &issuing);
    auto fooled = request("other.example");
    fooled.chain.front() = other.der();
    const auto refused = *test::wait_for(world.judge.judge_and_learn(fooled));
    CHECK(refused.standing == Standing::undecided);
    CHECK(refused.reason == "crl-unverifiable");
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
