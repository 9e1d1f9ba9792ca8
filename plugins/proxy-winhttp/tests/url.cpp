// What may be fetched: URLs and addresses, each bad one a trick that somebody tried.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <proxy-winhttp/address.hpp>
#include <proxy-winhttp/url.hpp>

using namespace postern;
using namespace postern::proxy_winhttp;

namespace {

bool passes(std::string_view text, const FetchRules& rules = {}) {
    const auto url = Url::parse(text);
    return url && !refusal(*url, rules);
}

bool is_public_text(const char* text) {
    sockaddr_storage storage{};
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    if (::inet_pton(AF_INET, text, &v4.sin_addr) == 1) storage.ss_family = AF_INET;
    else if (::inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) storage.ss_family = AF_INET6;
    return is_public(reinterpret_cast<const sockaddr&>(storage));
}

}  // namespace

TEST_CASE("an ordinary distribution point passes", "[proxy-winhttp]") {
    CHECK(passes("http://crl.example.com/a.crl"));
    CHECK(passes("https://crl.example.com:443/a.crl?x=1#y"));
    CHECK(passes("HTTP://CRL.EXAMPLE.COM./a.crl"));
}

TEST_CASE("what strangers write to reach something of ours is refused", "[proxy-winhttp]") {
    FetchRules rules;
    rules.own_domains = {"contoso.com"};
    for (const auto* text : {"ftp://crl.example.com/",
                             "file:///etc/passwd",
                             "gopher://a.b/",
                             "crl.example.com/a",
                             "",
                             "http://",
                             "http:///",
                             "http:///crl.example.com/",
                             "http://crl%2eexample.com/",
                             "http:///@crl.example.com/",
                             "http://127.0.0.1/",
                             "http://127.1/",
                             "http://2130706433/",
                             "http://0x7f.0.0.1/",
                             "http://0177.0.0.1/",
                             "http://[::1]/",
                             "http://[::ffff:10.0.0.1]/",
                             "http://1.2.3.4/",
                             "http://localhost/",
                             "http://localhost./",
                             "http://hub/",
                             "http://contoso.com/",
                             "http://pki.contoso.com/",
                             "http://PKI.Contoso.COM./",
                             "http://crl.example.com:25/",
                             "http://crl.example.com:443/",
                             "https://crl.example.com:80/",
                             "http://crl.example.com:0/",
                             "http://crl.example.com:99999/",
                             "http://user@crl.example.com/",
                             "http://user:pw@crl.example.com/",
                             "http://@crl.example.com/",
                             "http:/user@crl.example.com/",
                             "http://crl.example.com\\@127.0.0.1/",
                             "http://a..b/",
                             "http://.a.b/",
                             "http://crl.exa mple.com/",
                             "http://crl.ex%00ample.com/",
                             "http://crl.example.com/\r\nX: y",
                             "http://b\xc3\xbc.example/",
                             "http://crl.example.0x7f/"}) {
        CAPTURE(text);
        CHECK_FALSE(passes(text, rules));
    }
    CHECK(passes("http://notcontoso.com/", rules));
    CHECK_FALSE(passes("http://a.example.com/" + std::string(3000, 'a')));
    CHECK_FALSE(passes(std::string_view("http://a.example.com/\0b", 23)));
}

TEST_CASE("a host that the operator named passes, on the ports that he named", "[proxy-winhttp]") {
    FetchRules rules;
    rules.own_domains = {"contoso.com"};
    rules.allowed_hosts = {"pki.contoso.com", "127.0.0.1", "hub", "::1"};
    CHECK(passes("http://pki.contoso.com/", rules));
    CHECK(passes("http://127.0.0.1/", rules));
    CHECK(passes("http://[::1]/", rules));
    CHECK(passes("http://hub/", rules));
    CHECK_FALSE(passes("http://hub:8080/", rules));
    CHECK_FALSE(passes("http://other.contoso.com/", rules));
    rules.allowed_ports = {8080};
    CHECK(passes("http://hub:8080/", rules));
    CHECK_FALSE(passes("http://hub:80/", rules));
}

TEST_CASE("a URL in a sentence cannot forge a line", "[proxy-winhttp]") {
    CHECK(printable("a\r\n\x1b[0m\xff") == "a\\x0d\\x0a\\x1b[0m\\xff");
    CHECK(printable(std::string(1000, 'a')).size() == 303);
}

TEST_CASE("only addresses of the public internet are public", "[proxy-winhttp]") {
    for (const auto* text :
         {"8.8.8.8", "172.15.255.255", "172.32.0.1", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"}) {
        CAPTURE(text);
        CHECK(is_public_text(text));
    }
    for (const auto* text : {"127.0.0.1",
                             "127.255.255.254",
                             "0.0.0.0",
                             "10.0.0.1",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.168.0.1",
                             "169.254.169.254",
                             "100.64.0.1",
                             "198.18.0.1",
                             "224.0.0.1",
                             "255.255.255.255",
                             "::1",
                             "::",
                             "fe80::1",
                             "fc00::1",
                             "fd12::1",
                             "ff02::1",
                             "::ffff:127.0.0.1",
                             "::ffff:10.0.0.1",
                             "64:ff9b::7f00:1",
                             "2002:7f00:1::",
                             "2002:a00:1::",
                             "2001:0:1::",
                             "2001:db8::1",
                             "::127.0.0.1"}) {
        CAPTURE(text);
        CHECK_FALSE(is_public_text(text));
    }
    sockaddr other{};
    other.sa_family = AF_UNIX;
    CHECK_FALSE(is_public(other));
}
