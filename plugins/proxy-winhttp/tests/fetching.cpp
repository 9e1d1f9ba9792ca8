// Fetches over loopback: a hand-written origin, real nginx, real tinyproxy.
#include <catch2/catch.hpp>
#include <postern/testing/fake_host.hpp>
#include <proxy-winhttp/fetcher.hpp>
#include <proxy-winhttp/proxy_file.hpp>
#include <support/authority.hpp>
#include <support/loopback.hpp>

using namespace postern;
using namespace postern::proxy_winhttp;
using namespace postern::test;

namespace {

struct Bench {
    Bench() {
        host.state = folder.path();
        host.offer<ProxyResolver>(file);
    }
    TemporaryFolder folder;
    FakeHost host;
    ProxyFile file{host};
    HttpFetcher fetcher{host};

    Outcome<FetchAnswer> fetch(FetchRequest request) { return wait_for(fetcher.fetch(std::move(request))); }
};

FetchRequest request_for(const std::string& url, std::vector<std::uint16_t> ports) {
    FetchRequest request;
    request.url = url;
    request.rules.allowed_hosts = {"127.0.0.1"};
    request.rules.allowed_ports = std::move(ports);
    request.rules.timeout = Milliseconds(10000);
    return request;
}
FetchRequest request_to(const RawOrigin& origin, const std::string& path = "/a.crl") {
    return request_for(origin.url(path), {origin.port()});
}

// A root and a certificate for localhost, as PEM files.
struct HttpsFiles {
    explicit HttpsFiles(const TemporaryFolder& folder)
        : root(folder.path("root.pem")), certificate(folder.path("server.pem")), key(folder.path("server.key")) {
        CertificateTerms ca;
        ca.name = "Root";
        ca.ca = true;
        const Authority authority(ca);
        CertificateTerms terms;
        terms.name = "localhost";
        terms.dns_names = {"localhost"};
        const Authority server(terms, &authority);
        write_file(root, authority.pem());
        write_file(certificate, server.pem());
        write_file(key, server.key_pem());
        std::filesystem::create_directories(folder.path("tls"));
        std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
        write_file(folder.path("tls/a.crl"), "list");
    }
    std::string root, certificate, key;
};

// What the test sets and the origin's thread says.
class Guarded {
public:
    void set(std::string text) {
        std::lock_guard lock(mutex_);
        text_ = std::move(text);
    }
    std::string get() const {
        std::lock_guard lock(mutex_);
        return text_;
    }

private:
    mutable std::mutex mutex_;
    std::string text_;
};

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

bool says(const Outcome<FetchAnswer>& outcome, std::string_view part) {
    UNSCOPED_INFO((outcome ? "fetched" : outcome.failure.text));
    return !outcome && (outcome.failure.token == "crl-unreachable" || outcome.failure.token == host_unreachable) &&
           outcome.failure.text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("nginx serves a file once and then says that it is unchanged", "[proxy-winhttp]") {
    Bench bench;
    TemporaryFolder root;
    write_file(root.path("a.crl"), "list");
    const Nginx nginx(root.path());
    auto request = request_for(nginx.url("/a.crl"), {nginx.port()});
    const auto first = bench.fetch(request);
    REQUIRE(first);
    CHECK(text_of(first->body) == "list");
    CHECK(first->way == "direct to 127.0.0.1:" + std::to_string(nginx.port()));
    REQUIRE_FALSE(first->etag.empty());
    request.if_none_match = first->etag;
    const auto second = bench.fetch(request);
    REQUIRE(second);
    CHECK(second->not_modified);
    CHECK(second->body.empty());
    request.if_none_match.clear();
    request.if_modified_since = first->last_modified;
    CHECK(bench.fetch(request)->not_modified);
    const auto missing = bench.fetch(request_for(nginx.url("/missing"), {nginx.port()}));
    CHECK(says(missing, "status 404"));
    CHECK(missing.failure.token == "crl-unreachable");  // the server is well
    const auto nobody = bench.fetch(request_for("http://127.0.0.1:" + std::to_string(test::free_port()) + "/", {}));
    CHECK(nobody.failure.token == "crl-unreachable");  // not asked: the port is not allowed
}

TEST_CASE("a proxy that was set is used at the next fetch, and direct again after that", "[proxy-winhttp]") {
    Bench bench;
    TemporaryFolder root;
    write_file(root.path("a.crl"), "list");
    const Nginx nginx(root.path());
    const Tinyproxy proxy(root.path(), "BasicAuth lab secret\n");
    const auto request = request_for(nginx.url("/a.crl"), {nginx.port()});
    CHECK(bench.fetch(request)->way.starts_with("direct to "));

    auto settings = parse_proxy_value("lab:secret@127.0.0.1:" + std::to_string(proxy.port()));
    REQUIRE_FALSE(bench.file.write(*settings));
    const auto by_proxy = bench.fetch(request);
    REQUIRE(by_proxy);
    CHECK(by_proxy->way == "by proxy 127.0.0.1:" + std::to_string(proxy.port()));
    CHECK(text_of(by_proxy->body) == "list");

    settings->bypass = {"127.*"};  // the host is one that the operator named, so the bypass list counts
    REQUIRE_FALSE(bench.file.write(*settings));
    CHECK(bench.fetch(request)->way.starts_with("direct to "));

    REQUIRE_FALSE(bench.file.write(*parse_proxy_value("lab:wrong@127.0.0.1:" + std::to_string(proxy.port()))));
    CHECK(says(bench.fetch(request), "status 40"));
    for (const auto& line : bench.host.logged) CHECK(line.find("secret") == std::string::npos);
}

TEST_CASE("behind a proxy a name is resolved here too, and refused where it is private or unknown", "[proxy-winhttp]") {
    Bench bench;
    const RawOrigin proxy([](const auto&) { return http_ok("list"); });
    REQUIRE_FALSE(bench.file.write(*parse_proxy_value("127.0.0.1:" + std::to_string(proxy.port()))));
    FetchRequest request;
    request.url = "http://localhost.localdomain.invalid/a.crl";
    CHECK(says(bench.fetch(request), "DNS"));
    request.url = "http://printer.localhost/a.crl";  // RFC 6761 6.3: loopback, where the resolver knows it at all
    CHECK_FALSE(bench.fetch(request));
    CHECK(proxy.requests().empty());
    request.rules.allowed_hosts = {"localhost.localdomain.invalid"};
    request.url = "http://localhost.localdomain.invalid/a.crl";
    CHECK(bench.fetch(request));
    CHECK(proxy.requests().size() == 1);
}

TEST_CASE("a broken proxy.info fetches nothing, raises an alarm and ends it when mended", "[proxy-winhttp]") {
    Bench bench;
    const RawOrigin origin([](const auto&) { return http_ok("list"); });
    write_file(bench.folder.path("proxy.info"), "prxy proxy.contoso.com:3128\n");
    CHECK(says(bench.fetch(request_to(origin)), "proxy.info: line 1"));
    CHECK(origin.requests().empty());
    CHECK(bench.host.alarms.size() == 1);
    REQUIRE_FALSE(bench.file.write({}));
    CHECK(bench.fetch(request_to(origin)));
    CHECK(bench.host.alarms.empty());
}

TEST_CASE("without a proxy resolver nothing goes direct", "[proxy-winhttp]") {
    FakeHost host;
    HttpFetcher fetcher(host);
    const RawOrigin origin([](const auto&) { return http_ok("list"); });
    CHECK(says(wait_for(fetcher.fetch(request_to(origin))), "nobody says"));
}

TEST_CASE("environment proxies are not asked", "[proxy-winhttp]") {
    Bench bench;
    const RawOrigin origin([](const auto&) { return http_ok("list"); });
    ::setenv("http_proxy", "http://127.0.0.1:1", 1);
    const auto answer = bench.fetch(request_to(origin));
    ::unsetenv("http_proxy");
    CHECK(answer);
}

TEST_CASE("a name that leads to loopback is refused unless private addresses are allowed", "[proxy-winhttp]") {
    Bench bench;
    const RawOrigin origin([](const auto&) { return http_ok("list"); });
    auto request = request_to(origin);
    request.rules.allowed_hosts.clear();
    CHECK(says(bench.fetch(request), "literal address"));
    // An operator-named redirect source must not lend its trust to the target.
    const RawOrigin bridge([&](const auto&) {
        return "HTTP/1.1 302 Found\r\nLocation: http://[::ffff:127.0.0.1]:" + std::to_string(origin.port()) +
               "/\r\n\r\n";
    });
    auto redirected = request_to(bridge);
    redirected.rules.allowed_ports.push_back(origin.port());
    CHECK(says(bench.fetch(redirected), "literal address"));
    CHECK(origin.requests().empty());
}

TEST_CASE("each redirect is asked again and counted", "[proxy-winhttp]") {
    Bench bench;
    Guarded target;
    const RawOrigin origin([&](const std::string& request) -> std::optional<std::string> {
        if (request.starts_with("GET /end ")) return http_ok("list");
        return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + target.get() + "\r\n\r\n";
    });
    target.set("/end");
    const auto followed = bench.fetch(request_to(origin));
    REQUIRE(followed);
    CHECK(followed->way.find(", then direct to") != std::string::npos);
    target.set("/again");
    CHECK(says(bench.fetch(request_to(origin)), "more than 3 times"));
    CHECK(origin.requests().size() == 6);
    for (const auto& [bad, why] : {std::pair{"ftp://127.0.0.1/", "neither http nor https"},
                                   {"http://hub/", "port 80 is not among the allowed ports"},
                                   {"http://127.0.0.1:1/", "port 1 is not among the allowed ports"},
                                   {"http://u:p@127.0.0.1/", "credentials"},
                                   {"file:///etc/passwd", "neither http nor https"},
                                   {"http://169.254.169.254/latest", "port 80 is not among the allowed ports"}}) {
        target.set(bad);
        CAPTURE(bad);
        CHECK(says(bench.fetch(request_to(origin)), why));
    }
}

TEST_CASE("a hanging origin costs its time-out and nobody else", "[proxy-winhttp]") {
    Bench bench;
    const RawOrigin dead([](const auto&) { return std::nullopt; });
    const RawOrigin alive([](const auto&) { return http_ok("list"); });
    auto request = request_to(dead);
    request.rules.timeout = Milliseconds(400);
    const auto begin = std::chrono::steady_clock::now();
    auto hanging = bench.fetcher.fetch(request);
    CHECK(bench.fetch(request_to(alive)));
    const auto ended = wait_for(hanging);
    CHECK(says(ended, "no answer in time"));
    CHECK(ended.failure.token == host_unreachable);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("garbage, cut and oversize answers are failures", "[proxy-winhttp]") {
    Bench bench;
    Guarded answer;
    const RawOrigin origin([&](const auto&) { return answer.get(); });
    auto request = request_to(origin);
    request.rules.bytes = 1000;
    const auto outcome = [&](std::string text) {
        answer.set(std::move(text));
        return bench.fetch(request);
    };
    CHECK_FALSE(outcome("\x16\x03\x01 garbage\r\n\r\n"));
    CHECK_FALSE(outcome(""));
    CHECK_FALSE(outcome("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut"));
    CHECK_FALSE(outcome("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
    CHECK(says(outcome(http_ok(std::string(1001, 'x'))), "larger than 1000"));
    CHECK(says(outcome("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x')), "larger than 1000"));
    CHECK(says(outcome("HTTP/1.1 304 Not Modified\r\n\r\n"), "without condition"));
    CHECK(says(outcome("HTTP/1.1 206 Partial\r\nContent-Length: 1\r\n\r\nx"), "status 206"));
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 3000; ++i) many += "X-Filler-" + std::to_string(i) + ": 0123456789012345678901234567890\r\n";
    CHECK(says(outcome(many + "\r\n"), "header is larger"));
    CHECK(outcome(http_ok(std::string(1000, 'x')))->body.size() == 1000);
    const auto long_tag = outcome(http_ok("x", "ETag: \"" + std::string(1000, 'e') + "\"\r\n"));
    CHECK(long_tag->etag.empty());
}

TEST_CASE("hundreds of fetches at once are all answered, and stopping fails those under way", "[proxy-winhttp]") {
    Bench bench;
    const RawOrigin origin([](const auto&) { return http_ok("list"); });
    std::vector<Pending<FetchAnswer>> pending;
    for (int i = 0; i < 300; ++i) pending.push_back(bench.fetcher.fetch(request_to(origin)));
    for (auto& one : pending) CHECK(wait_for(one));
    const RawOrigin dead([](const auto&) { return std::nullopt; });
    auto last = bench.fetcher.fetch(request_to(dead));
    bench.fetcher.stop();
    CHECK(says(wait_for(last), "shutting down"));
    CHECK(says(bench.fetch(request_to(dead)), "shutting down"));
}

TEST_CASE("a proxy that asks for Basic or for Digest gets what it asks for, also for CONNECT", "[proxy-winhttp]") {
    Bench bench;
    TemporaryFolder root;
    write_file(root.path("a.crl"), "list");
    const HttpsFiles files(root);
    const Nginx plain(root.path()), tls(root.path("tls"), files.certificate, files.key);
    REQUIRE_FALSE(bench.fetcher.trust({files.root}));
    for (const std::string scheme : {"basic", "digest"}) {
        CAPTURE(scheme);
        const Squid squid(root.path(scheme), scheme);
        const auto address = "127.0.0.1:" + std::to_string(squid.port());
        REQUIRE_FALSE(bench.file.write(*parse_proxy_value("lab:secret@" + address)));
        const auto by_http = bench.fetch(request_for(plain.url("/a.crl"), {plain.port()}));
        REQUIRE(by_http);
        CHECK(text_of(by_http->body) == "list");
        CHECK(by_http->way == "by proxy " + address);
        auto over_tls = request_for(tls.url("/a.crl", "localhost"), {tls.port()});
        over_tls.rules.allowed_hosts = {"localhost"};
        const auto by_connect = bench.fetch(over_tls);
        UNSCOPED_INFO((by_connect ? "" : by_connect.failure.text));
        REQUIRE(by_connect);
        CHECK(text_of(by_connect->body) == "list");
        CHECK(squid.log().find("CONNECT localhost:" + std::to_string(tls.port())) != std::string::npos);
        REQUIRE_FALSE(bench.file.write(*parse_proxy_value("lab:wrong@" + address)));
        CHECK(says(bench.fetch(request_for(plain.url("/a.crl"), {plain.port()})), "refuses the credentials"));
        CHECK(says(bench.fetch(over_tls), "refuses the credentials"));
        REQUIRE_FALSE(bench.file.write(*parse_proxy_value(address)));
        CHECK(says(bench.fetch(request_for(plain.url("/a.crl"), {plain.port()})), "asks for credentials"));
        CHECK(says(bench.fetch(over_tls), "postern proxy set"));
    }
    for (const auto& line : bench.host.logged) CHECK(line.find("secret") == std::string::npos);
}

TEST_CASE("each scheme goes its own way", "[proxy-winhttp]") {
    Bench bench;
    TemporaryFolder root;
    write_file(root.path("a.crl"), "list");
    const HttpsFiles files(root);
    const Nginx plain(root.path()), tls(root.path("tls"), files.certificate, files.key);
    REQUIRE_FALSE(bench.fetcher.trust({files.root}));
    const Tinyproxy proxy(root.path());
    auto over_tls = request_for(tls.url("/a.crl", "localhost"), {tls.port()});
    over_tls.rules.allowed_hosts = {"localhost"};
    const auto in_clear = request_for(plain.url("/a.crl"), {plain.port()});
    for (const std::string scheme : {"http", "https"}) {
        REQUIRE_FALSE(bench.file.write(*parse_proxy_value(scheme + "=127.0.0.1:" + std::to_string(proxy.port()))));
        CHECK(bench.fetch(in_clear)->way.starts_with(scheme == "http" ? "by proxy" : "direct to"));
        CHECK(bench.fetch(over_tls)->way.starts_with(scheme == "https" ? "by proxy" : "direct to"));
    }
}

TEST_CASE("an https server is trusted by the roots of the settings, under its own name alone", "[proxy-winhttp]") {
    Bench bench;
    TemporaryFolder root;
    write_file(root.path("a.crl"), "list");
    const HttpsFiles files(root);
    const Nginx nginx(root.path("tls"), files.certificate, files.key);
    auto request = request_for(nginx.url("/a.crl", "localhost"), {nginx.port()});
    request.rules.allowed_hosts = {"localhost", "127.0.0.1"};
    CHECK(says(bench.fetch(request), "not trusted"));
    REQUIRE_FALSE(bench.fetcher.trust({files.root}));
    CHECK(bench.fetch(request));
    request.url = nginx.url("/a.crl");
    CHECK(says(bench.fetch(request), "not trusted"));
    request.url = nginx.url("/a.crl", "localhost");
    REQUIRE(bench.fetcher.trust({root.path("missing.pem")}));
    CHECK_FALSE(bench.fetch(request));
    REQUIRE_FALSE(bench.fetcher.trust({}));
    CHECK(says(bench.fetch(request), "not trusted"));
}
