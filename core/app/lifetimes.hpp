// Which generations live: the one in force, and each older one that a session or delivery still holds. Sees that each
// is freed off the workers, whoever lets go last: freeing 10,000 partners is a pause. Any thread.
#pragma once

#include <functional>
#include <net/services.hpp>
#include <vector>

namespace postern::app {

class Lifetimes {
public:
    // More of them would be memory that grows by each SIGHUP.
    static constexpr std::size_t most = 8;

    // `ended` is called on `pool` when one was freed there.
    Lifetimes(net::asio::thread_pool& pool, std::function<void()> ended);

    // The same generation, counted from here to its freeing. `generation` must be the only reference.
    std::shared_ptr<const net::Generation> keep(std::shared_ptr<const net::Generation> generation);

    struct Living {
        std::uint64_t number = 0;
        Time since{};
        std::size_t holders = 0;  // sessions and deliveries, for all but the newest
    };
    std::vector<Living> living() const;  // oldest first
    bool full() const;
    // "generation 3 (held by 2), generation 4 (held by 1)", without the one in force.
    std::string older() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace postern::app
