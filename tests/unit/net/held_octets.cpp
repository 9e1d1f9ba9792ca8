#include <catch2/catch.hpp>
#include <deque>
#include <net/held_octets.hpp>

using postern::net::HeldOctets;

TEST_CASE("within the bound a session holds what it likes", "[net]") {
    HeldOctets all(1000);
    HeldOctets::Part one(all), two(all);
    CHECK(one.hold(900));
    CHECK(two.hold(100));
    CHECK(all.octets() == 1000);
}

TEST_CASE("beyond the bound who holds more than a fair share gives way, and others do not", "[net]") {
    HeldOctets all(1000);
    HeldOctets::Part one(all), two(all);
    CHECK(one.hold(990));
    CHECK(two.hold(20));
    CHECK(two.hold(500));
    CHECK_FALSE(two.hold(501));
    CHECK_FALSE(one.hold(990));
    CHECK(one.hold(0));
    CHECK(two.hold(501));
}

TEST_CASE("whatever sessions try, together they hold little more than the bound", "[net]") {
    HeldOctets all(10000);
    std::deque<HeldOctets::Part> parts;
    for (int i = 0; i < 100; ++i) parts.emplace_back(all);
    for (int round = 0; round < 10; ++round)
        for (auto& one : parts)
            if (!one.hold(round * 40)) one.hold(0);  // it gave way
    CHECK(all.octets() <= 10000 + 400);
    parts.clear();
    CHECK(all.octets() == 0);
}
