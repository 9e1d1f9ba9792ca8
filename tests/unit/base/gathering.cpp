#include <base/gathering.hpp>
#include <catch2/catch.hpp>
#include <string>

using namespace postern;

namespace {
// A loop that writes down how often it was woken and what it then did.
struct Loop {
    int woken = 0;
    std::string did;
    void tell(const std::string& what) {
        const auto post = [this](Gathering::Task task) {
            ++woken;
            task();
        };
        Gathering::tell(this, post, [this, what] { did += what; });
    }
};
}  // namespace

TEST_CASE("what one step tells a loop wakes it once, in order, at the step's end", "[gathering]") {
    Loop loop, other;
    {
        Gathering step;
        loop.tell("a");
        other.tell("x");
        loop.tell("b");
        CHECK(loop.woken + other.woken == 0);
    }
    CHECK(loop.woken == 1);
    CHECK(loop.did == "ab");
    CHECK(other.woken == 1);
    CHECK(other.did == "x");
}

TEST_CASE("outside any step everybody is told at once", "[gathering]") {
    Loop loop;
    loop.tell("a");
    loop.tell("b");
    CHECK(loop.woken == 2);
    CHECK(loop.did == "ab");
}

TEST_CASE("a step within a step tells at its own end", "[gathering]") {
    Loop loop;
    Gathering outer;
    {
        Gathering inner;
        loop.tell("a");
    }
    CHECK(loop.did == "a");
}
