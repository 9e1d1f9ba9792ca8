#include <catch2/catch.hpp>
#include <deque>
#include <future>
#include <tls-mutual/store/token_calls.hpp>

using namespace postern::tls_mutual;
using std::chrono::milliseconds;

namespace {

constexpr std::chrono::seconds long_enough{60};

// Like the process's own never destroyed: a call's thread still lets go of it when its news was told.
TokenCalls& fresh() {
    static auto* all = new std::deque<TokenCalls>;
    return all->emplace_back();
}

// A call that hangs until it is let go.
struct Hanging {
    std::promise<void> go;
    std::shared_future<void> gone = go.get_future().share();
    std::function<int()> call() {
        return [gone = gone] {
            gone.wait();
            return 7;
        };
    }
};

// What was told of a token, awaited.
struct Told {
    std::promise<void> hung, back;
    TokenCalls::News listener() {
        return [this](const std::string&, bool hangs) { (hangs ? hung : back).set_value(); };
    }
};

}  // namespace

TEST_CASE("a token that answers is waited for, and nothing is told", "[tls-mutual]") {
    auto& calls = fresh();
    calls.tell([](const std::string&, bool) { FAIL("told"); });
    CHECK(calls.within<int>(long_enough, "a", [] { return 7; }) == 7);
    CHECK_FALSE(calls.hangs("a"));
}

TEST_CASE("a token that hangs is given up, asked nothing more, and told; so is its coming back", "[tls-mutual]") {
    auto& calls = fresh();
    Told told;
    Hanging hanging;
    calls.tell(told.listener());
    CHECK_FALSE(calls.within<int>(milliseconds(1), "a", hanging.call()));
    told.hung.get_future().wait();
    CHECK(calls.hangs("a"));
    bool begun = false;
    CHECK_FALSE(calls.within<int>(long_enough, "a", [&] {
        begun = true;
        return 8;
    }));
    CHECK_FALSE(begun);
    // Another token is nobody's hostage.
    CHECK(calls.within<int>(long_enough, "b", [] { return 9; }) == 9);
    hanging.go.set_value();
    told.back.get_future().wait();
    CHECK_FALSE(calls.hangs("a"));
    CHECK(calls.within<int>(long_enough, "a", [] { return 8; }) == 8);
    calls.tell({});  // no news is under way any more
}

TEST_CASE("what cannot be closed is kept until the token is back", "[tls-mutual]") {
    auto& calls = fresh();
    Told told;
    Hanging hanging;
    calls.tell(told.listener());
    CHECK_FALSE(calls.within<int>(milliseconds(1), "a", hanging.call()));
    const auto kept = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = kept;
    calls.abandon("a", kept);
    hanging.go.set_value();
    told.back.get_future().wait();
    CHECK(watched.use_count() == 1);
    calls.tell({});
}
