// The `proxy` verbs and the file that they write.
#include <catch2/catch.hpp>
#include <filesystem>
#include <postern/testing/fake_host.hpp>
#include <proxy-winhttp/verbs.hpp>
#include <support/loopback.hpp>

using namespace postern;
using namespace postern::proxy_winhttp;
using namespace postern::test;

namespace {

VerbResult run(ProxyVerbs& verbs, std::vector<std::string> words) { return *verbs.run(std::move(words)).take(); }

bool says(const std::string& text, std::string_view part) {
    UNSCOPED_INFO(text);
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("proxy set, show and direct read like proxycfg", "[proxy-winhttp]") {
    TemporaryFolder folder;
    FakeHost host;
    host.state = folder.path();
    ProxyFile file(host);
    ProxyVerbs verbs(file);
    CHECK(says(run(verbs, {"proxy", "show"}).out, "Direct access (no proxy server)"));
    const auto set = run(verbs, {"proxy", "set", "user:hunter2@proxy.contoso.com:3128", "<local>;*.contoso.com"});
    CHECK(set.status == 0);
    CHECK(says(set.err, "unencrypted"));
    const auto shown = run(verbs, {"proxy", "show"});
    CHECK(says(shown.out, "***@proxy.contoso.com:3128"));
    CHECK(says(shown.out, "<local>;*.contoso.com"));
    CHECK_FALSE(says(shown.out + set.out + set.err, "hunter2"));
    using std::filesystem::perms;
    const auto mode = std::filesystem::status(folder.path("proxy.info")).permissions();
    CHECK((mode & (perms::group_all | perms::others_all)) == perms::none);
    CHECK(run(verbs, {"proxy", "direct"}).status == 0);
    CHECK(says(run(verbs, {"proxy", "show"}).out, "Direct access"));
}

TEST_CASE("the bypass list may be named", "[proxy-winhttp]") {
    TemporaryFolder folder;
    FakeHost host;
    host.state = folder.path();
    ProxyFile file(host);
    ProxyVerbs verbs(file);
    CHECK(run(verbs, {"proxy", "set", "http://127.0.0.1:3128", "--bypass", "<local>;*.contoso.com"}).status == 0);
    const auto shown = run(verbs, {"proxy", "show"});
    CHECK(says(shown.out, "127.0.0.1:3128"));
    CHECK(says(shown.out, "<local>;*.contoso.com"));
}

TEST_CASE("a wrong proxy command changes nothing and says how to write it", "[proxy-winhttp]") {
    TemporaryFolder folder;
    FakeHost host;
    host.state = folder.path();
    ProxyFile file(host);
    ProxyVerbs verbs(file);
    CHECK(run(verbs, {"proxy", "set", "proxy.contoso.com"}).status == 2);
    CHECK(run(verbs, {"proxy", "set", "a:80", "a$b"}).status == 2);
    CHECK(run(verbs, {"proxy", "set"}).status == 2);
    CHECK(run(verbs, {"proxy"}).status == 2);
    CHECK(run(verbs, {"proxy", "show", "x"}).status == 2);
    CHECK(run(verbs, {"proxy", "set", "--bypass", "a"}).status == 2);
    CHECK(run(verbs, {"proxy", "set", "a:80", "--bypass"}).status == 2);
    CHECK_FALSE(std::filesystem::exists(folder.path("proxy.info")));
}

TEST_CASE("without a state folder set fails and names the remedy", "[proxy-winhttp]") {
    FakeHost host;
    ProxyFile file(host);
    ProxyVerbs verbs(file);
    const auto result = run(verbs, {"proxy", "set", "a.contoso.com:80"});
    CHECK(result.status == 1);
    CHECK(says(result.err, "postern -c FILE"));
    CHECK(says(run(verbs, {"proxy", "show"}).out, "Direct access"));
}

TEST_CASE("a settings file that is broken, a folder or too large shows as such", "[proxy-winhttp]") {
    TemporaryFolder folder;
    FakeHost host;
    host.state = folder.path();
    ProxyFile file(host);
    ProxyVerbs verbs(file);
    write_file(folder.path("proxy.info"), "proxy");
    CHECK(says(run(verbs, {"proxy", "show"}).err, "line 1"));
    write_file(folder.path("proxy.info"), std::string(300000, ';'));
    CHECK(says(run(verbs, {"proxy", "show"}).err, "larger"));
    std::filesystem::remove(folder.path("proxy.info"));
    std::filesystem::create_directory(folder.path("proxy.info"));
    CHECK(run(verbs, {"proxy", "show"}).status == 1);
    CHECK(run(verbs, {"proxy", "direct"}).status == 1);
    CHECK_FALSE(file.choose("http://crl.example.com/", true).direct);
}
