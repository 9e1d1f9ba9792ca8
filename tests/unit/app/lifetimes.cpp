#include <app/lifetimes.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <semaphore>

using postern::app::Lifetimes;
using postern::net::Generation;

namespace {

std::shared_ptr<const Generation> numbered(std::uint64_t number) {
    auto generation = std::make_shared<Generation>();
    generation->number = number;
    return generation;
}

}  // namespace

TEST_CASE("a generation is freed on the pool, whoever lets go of it last", "[lifetimes]") {
    postern::net::asio::thread_pool pool(1);
    std::promise<std::thread::id> ended;
    Lifetimes lifetimes(pool, [&] { ended.set_value(std::this_thread::get_id()); });
    std::thread::id freed_by;
    auto watched = std::make_shared<Generation>();
    // The settings go with the generation: their deleter sees where.
    watched->settings = {new postern::config::Settings, [&](const postern::config::Settings* settings) {
                             freed_by = std::this_thread::get_id();
                             delete settings;
                         }};
    auto kept = lifetimes.keep(std::move(watched));
    kept.reset();
    const auto told_by = ended.get_future().get();
    const bool there = freed_by == told_by, here = freed_by == std::this_thread::get_id();
    CHECK(there);
    CHECK_FALSE(here);
    CHECK(lifetimes.living().empty());
}

TEST_CASE("eight generations are all that may live, and the older are told with who holds them", "[lifetimes]") {
    postern::net::asio::thread_pool pool(1);
    std::counting_semaphore<> ended(0);
    Lifetimes lifetimes(pool, [&] { ended.release(); });
    std::vector<std::shared_ptr<const Generation>> held;
    for (std::uint64_t number = 1; number <= Lifetimes::most; ++number) {
        CHECK_FALSE(lifetimes.full());
        held.push_back(lifetimes.keep(numbered(number)));
    }
    CHECK(lifetimes.full());
    auto second_session = held[1];
    CHECK(lifetimes.older().starts_with("generation 1 (held by 1), generation 2 (held by 2), generation 3"));
    held.front().reset();
    ended.acquire();
    CHECK_FALSE(lifetimes.full());
    CHECK(lifetimes.living().size() == Lifetimes::most - 1);
    held.clear();
    second_session.reset();
    for (std::size_t more = 1; more < Lifetimes::most; ++more) ended.acquire();
    CHECK(lifetimes.living().empty());
}
