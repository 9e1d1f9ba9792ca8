#include <catch2/catch.hpp>
#include <net/sources.hpp>

using namespace postern::net;
using std::chrono::seconds;

static std::string source(const char* address) { return source_of(asio::ip::make_address(address)); }

TEST_CASE("IPv6 neighbours in a /64 are one source, IPv4 neighbours are two", "[net]") {
    CHECK(source("2001:db8:1:2::1") == source("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    CHECK(source("2001:db8:1:2::1") != source("2001:db8:1:3::1"));
    CHECK(source("192.0.2.1") != source("192.0.2.2"));
}

TEST_CASE("a source has so many messages a minute, then waits for the next", "[net]") {
    SourceRates rates;
    const Deadline start{std::chrono::hours(1)};
    for (int i = 0; i < 3; ++i) CHECK(rates.take("192.0.2.1", 3, start + seconds(i)));
    CHECK_FALSE(rates.take("192.0.2.1", 3, start + seconds(59)));
    CHECK(rates.take("192.0.2.2", 3, start + seconds(59)));
    CHECK(rates.take("192.0.2.1", 3, start + seconds(60)));
}

TEST_CASE("more sources than are remembered cost no more memory, and the busiest are not forgotten first", "[net]") {
    SourceRates rates;
    const Deadline start{std::chrono::hours(1)};
    for (int i = 0; i < 10000; ++i) rates.take(std::to_string(i), 1, start + std::chrono::milliseconds(i));
    rates.take("new", 1, start + seconds(20));
    CHECK(rates.size() == 10000);
    CHECK_FALSE(rates.take("9999", 1, start + seconds(20)));
    CHECK(rates.take("0", 1, start + seconds(20)));
    rates.take("another", 1, start + seconds(300));
    CHECK(rates.size() == 1);
}
