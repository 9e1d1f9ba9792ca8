// proxy.info and the bypass list as text, good and bad.
#include <catch2/catch.hpp>
#include <proxy-winhttp/proxy_settings.hpp>

using namespace postern;
using namespace postern::proxy_winhttp;

TEST_CASE("one proxy value serves both schemes", "[proxy-winhttp]") {
    const auto settings = parse_proxy_value("Proxy.Contoso.com:3128");
    REQUIRE(settings);
    CHECK(settings->http->host == "proxy.contoso.com");
    CHECK(settings->https->port == 3128);
    CHECK(proxy_value(*settings) == "proxy.contoso.com:3128");
}

TEST_CASE("a scheme that the value does not name goes direct", "[proxy-winhttp]") {
    const auto settings = parse_proxy_value("http=a.contoso.com:80");
    REQUIRE(settings);
    CHECK_FALSE(choose_way(*settings, "http", "crl.example.com", false).direct);
    CHECK(choose_way(*settings, "https", "crl.example.com", false).direct);
    const auto ldap = choose_way(*settings, "ldap", "crl.example.com", false);
    CHECK((!ldap.direct && ldap.host.empty()));
}

TEST_CASE("a proxy value that is wrong is refused and its password is never repeated", "[proxy-winhttp]") {
    for (const auto* value : {"",
                              ";",
                              "proxy",
                              "proxy:",
                              "proxy:0",
                              "proxy:65536",
                              "proxy:80x",
                              ":80",
                              "a b:80",
                              "a:80;b:81",
                              "http=a:80;http=b:81",
                              "http=a:80;b:81",
                              "a:80;http=b:80",
                              "ftp=a:80",
                              "socks://a:80",
                              "::1:80",
                              "[::1]",
                              "us%0aer:pw@a:80",
                              "u:%zz@a:80",
                              "http=",
                              "bad\x01host:80"}) {
        CAPTURE(value);
        CHECK_FALSE(parse_proxy_value(value));
    }
    const auto bad = parse_proxy_value("user:hunter2@proxy.contoso.com:99999");
    REQUIRE_FALSE(bad);
    CHECK(bad.failure.text.find("hunter2") == std::string::npos);
    CHECK_FALSE(parse_proxy_value(std::string(3000, 'a') + ":80"));
}

TEST_CASE("what proxy set writes reads back the same, credentials included", "[proxy-winhttp]") {
    auto settings = parse_proxy_value("http=us%40er:p%3Bw%22@[::1]:80;https=b.contoso.com:81");
    REQUIRE(settings);
    settings->bypass = {"<local>", "*.contoso.com"};
    const auto again = parse_proxy_info(to_proxy_info(*settings));
    REQUIRE(again);
    CHECK(again->http->user == "us@er");
    CHECK(again->http->password == "p;w\"");
    CHECK(again->http->host == "::1");
    CHECK(again->https->host == "b.contoso.com");
    CHECK(again->bypass == settings->bypass);
    CHECK(shown_proxy_value(*settings) == "http=***@[::1]:80;https=b.contoso.com:81");
}

TEST_CASE("a broken proxy.info is a failure that names its line", "[proxy-winhttp]") {
    const auto problem = [](std::string_view text) {
        const auto parsed = parse_proxy_info(text);
        return parsed ? std::string("none") : parsed.failure.text;
    };
    CHECK(problem("; comment\n\nprxy a:80\n").find("line 3: unknown key `prxy`") == 0);
    CHECK(problem("proxy http=a:80;https=b:80\n") == "none");  // INFO: the rest is a comment, so https goes direct
    CHECK(problem("proxy a:80 b:80").find("one value") != std::string::npos);
    CHECK(problem("proxy a:80\nproxy b:80").find("line 2") == 0);
    CHECK(problem("proxy \"a:80").find("does not end") != std::string::npos);
    CHECK(problem("bypass {\n a\n").find("not closed") != std::string::npos);
    CHECK(problem("bypass a\n").find("is a block") != std::string::npos);
    CHECK(problem("bypass {\n a b\n}\n").find("line 2: one entry a line") == 0);
    CHECK(problem("bypass {\n a$b\n}\n").find("neither <local>") != std::string::npos);
    CHECK(problem("") == "none");
}

TEST_CASE("the bypass list knows wildcards and names without a period", "[proxy-winhttp]") {
    const auto list = parse_bypass("<local>; *.Contoso.com, 10.*");
    REQUIRE(list);
    std::string entry;
    CHECK(bypasses(*list, "hub", entry));
    CHECK(entry == "<local>");
    CHECK(bypasses(*list, "PKI.contoso.com", entry));
    CHECK(bypasses(*list, "10.1.2.3", entry));
    CHECK_FALSE(bypasses(*list, "contoso.com", entry));
    CHECK_FALSE(bypasses(*list, "contoso.com.evil.example", entry));
    CHECK_FALSE(bypasses(*list, "::1", entry));
    const std::vector<std::string> stars{std::string(500, '*') + "x"};
    CHECK_FALSE(bypasses(stars, std::string(5000, 'a'), entry));
}

TEST_CASE("the bypass list does not apply where it is to be ignored", "[proxy-winhttp]") {
    auto settings = parse_proxy_value("p.contoso.com:80");
    settings->bypass = {"*"};
    CHECK(choose_way(*settings, "http", "crl.example.com", false).direct);
    CHECK(choose_way(*settings, "http", "crl.example.com", true).host == "p.contoso.com");
}
