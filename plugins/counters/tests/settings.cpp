#include <catch2/catch.hpp>
#include <counters/settings.hpp>

using namespace postern;
using namespace postern::counters;

namespace {
SettingsNode node(const std::string& listen, const std::string& remote = {}) {
    SettingsNode made{"counters", {}, {{"listen", listen, {}, "postern.conf", 7}}, "postern.conf", 6};
    if (!remote.empty()) made.children.push_back({"allow_remote", remote, {}, "postern.conf", 8});
    return made;
}
}  // namespace

TEST_CASE("a literal address with a port is read and printed the same", "[counters]") {
    for (const std::string good :
         {"127.0.0.1:9464", "127.8.9.10:0", "[::1]:9464", "192.0.2.1:65535", "[2001:db8::1]:80"}) {
        INFO(good);
        const auto address = parse_listen_address(good);
        REQUIRE(address);
        CHECK(address->text() == good);
    }
}

TEST_CASE("anything else is not an address to listen on", "[counters]") {
    for (const std::string bad :
         {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x", "localhost:9464",
          "::1:9464", "[127.0.0.1]:80", "127.1:80", "0177.0.0.1:80", "[::1:80"}) {
        INFO(bad);
        CHECK_FALSE(parse_listen_address(bad));
        REQUIRE(check(node(bad)).size() == 1);
        CHECK(check(node(bad))[0].line == 7);
    }
}

TEST_CASE("loopback is 127.0.0.0/8 and ::1, and nothing that looks like it", "[counters]") {
    for (const auto* yes : {"127.0.0.1:1", "127.255.255.254:1", "[::1]:1", "[::ffff:127.0.0.1]:1"})
        CHECK(parse_listen_address(yes)->loopback());
    for (const auto* no : {"0.0.0.0:1", "128.0.0.1:1", "[::]:1", "[::2]:1", "[::127.0.0.1]:1", "[::ffff:192.0.2.1]:1"})
        CHECK_FALSE(parse_listen_address(no)->loopback());
}

TEST_CASE("an address that others reach is refused unless the operator says so", "[counters]") {
    const auto problems = check(node("0.0.0.0:9464"));
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].file == "postern.conf");
    CHECK(problems[0].line == 7);
    CHECK(problems[0].key == "listen");
    CHECK(problems[0].problem.find("allow_remote yes") != std::string::npos);
    CHECK_FALSE(read(node("0.0.0.0:9464")));
    CHECK_FALSE(check(node("0.0.0.0:9464", "no")).empty());
    CHECK(check(node("0.0.0.0:9464", "yes")).empty());
    CHECK(read(node("0.0.0.0:9464", "yes"))->text() == "0.0.0.0:9464");
}

TEST_CASE("without settings it is 127.0.0.1:9464", "[counters]") {
    CHECK(check({}).empty());
    CHECK(read({})->text() == "127.0.0.1:9464");
}
