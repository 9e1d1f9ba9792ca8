// Proxy settings of other programs, taken over.
#include <catch2/catch.hpp>
#include <proxy-winhttp/proxy_import.hpp>

using namespace postern;
using namespace postern::proxy_winhttp;

namespace {

Imported taken(const Variables& variables) {
    const auto outcome = from_variables(variables);
    REQUIRE(outcome);
    REQUIRE(*outcome);
    return **outcome;
}

using Entries = std::vector<std::string>;

}  // namespace

TEST_CASE("the variables that other programs obey are taken over", "[proxy-winhttp]") {
    const auto both =
        taken({{"http_proxy", "http://proxy.contoso.com:3128/"}, {"HTTPS_PROXY", "proxy.contoso.com:3129"}});
    CHECK(shown_proxy_value(both.settings) == "http=proxy.contoso.com:3128;https=proxy.contoso.com:3129");
    CHECK(shown_proxy_value(taken({{"all_proxy", "http://u:p@proxy:80"}}).settings) == "***@proxy:80");
    CHECK_FALSE(*from_variables({}));
    CHECK_FALSE(*from_variables({{"no_proxy", "contoso.com"}, {"http_proxy", " "}}));
}

TEST_CASE("no_proxy becomes a bypass list, and what does not fit is told", "[proxy-winhttp]") {
    const auto one = taken(
        {{"http_proxy", "p:80"}, {"no_proxy", "localhost, .contoso.com fabrikam.com:8080,10.0.0.0/8,::1,1.2.3.4"}});
    CHECK(one.settings.bypass ==
          Entries{"localhost", "*.localhost", "*.contoso.com", "fabrikam.com", "*.fabrikam.com", "::1", "1.2.3.4"});
    REQUIRE(one.notes.size() == 2);
    CHECK(one.notes[0] == "`fabrikam.com:8080` bypasses the proxy on every port");
    CHECK(one.notes[1] == "`10.0.0.0/8` is a network, which a bypass list cannot hold: left out");
    CHECK(taken({{"http_proxy", "p:80"}, {"NO_PROXY", "*"}}).settings.bypass == Entries{"*"});
}

TEST_CASE("a variable that is no proxy is a failure that names it, without its password", "[proxy-winhttp]") {
    for (const std::string value : {"socks5://user:hunter2@proxy:1080", "https://user:hunter2@proxy:443",
                                    "http://user:hunter2@proxy", "http://user:hunter2@pro xy:80"}) {
        CAPTURE(value);
        const auto outcome = from_variables({{"https_proxy", value}});
        CHECK_FALSE(outcome);
        CHECK(outcome.failure.text.find("https_proxy") == 0);
        CHECK(outcome.failure.text.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("/etc/environment is read as pam does", "[proxy-winhttp]") {
    const auto variables = read_environment_file(
        "# a comment\nPATH=/bin\nexport http_proxy=\"http://proxy:3128\"\n https_proxy = 'proxy:3129' \nnonsense\n");
    CHECK(variables.at("http_proxy") == "http://proxy:3128");
    CHECK(variables.at("https_proxy") == "proxy:3129");
    CHECK(variables.size() == 3);
}

TEST_CASE("apt's proxy serves both schemes unless it names one for https, and DIRECT hosts bypass it",
          "[proxy-winhttp]") {
    const auto one = from_apt(
        "Acquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://proxy.contoso.com:3128/\";\n"
        "Acquire::http::Proxy::deb.contoso.com \"DIRECT\";\n");
    REQUIRE(one);
    REQUIRE(*one);
    CHECK(shown_proxy_value((*one)->settings) == "proxy.contoso.com:3128");
    CHECK((*one)->settings.bypass == Entries{"deb.contoso.com", "*.deb.contoso.com"});
    const auto apart = from_apt("Acquire::HTTP::Proxy \"http://a:1\";\nAcquire::https::Proxy \"http://b:2\";\n");
    CHECK(shown_proxy_value((*apart)->settings) == "http=a:1;https=b:2");
    CHECK_FALSE(*from_apt("Acquire::http::Proxy \"false\";\n"));
    CHECK_FALSE(*from_apt("APT::Architecture \"amd64\";\n"));
}
