#include <catch2/catch.hpp>
#include <queue/recent_bodies.hpp>

using namespace postern::queue;

TEST_CASE("a body that came in a moment ago is at hand until it is gone", "[recent-bodies]") {
    RecentBodies recent(1000);
    recent.keep({1, 1}, "octets");
    REQUIRE(recent.find({1, 1}));
    CHECK(*recent.find({1, 1}) == "octets");
    CHECK_FALSE(recent.find({1, 2}));
    const auto held = recent.find({1, 1});
    recent.forget({1, 1});
    CHECK_FALSE(recent.find({1, 1}));
    CHECK(*held == "octets");
}

TEST_CASE("the oldest bodies make room for the newest", "[recent-bodies]") {
    RecentBodies recent(1000);
    for (std::uint64_t i = 0; i < 11; ++i) recent.keep({i, 0}, std::string(100, 'x'));
    CHECK_FALSE(recent.find({0, 0}));
    CHECK(recent.find({1, 0}));
    CHECK(recent.find({10, 0}));
}

TEST_CASE("one body never takes the room of all others", "[recent-bodies]") {
    RecentBodies recent(1000);
    recent.keep({1, 0}, std::string(100, 'x'));
    recent.keep({2, 0}, std::string(900, 'y'));
    CHECK(recent.find({1, 0}));
    CHECK_FALSE(recent.find({2, 0}));
}

TEST_CASE("bodies that are gone leave no trace among the oldest", "[recent-bodies]") {
    RecentBodies recent(1000);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        recent.keep({i, 0}, std::string(100, 'x'));
        recent.forget({i, 0});
    }
    recent.keep({5000, 0}, std::string(250, 'z'));
    CHECK(recent.find({5000, 0}));
}
