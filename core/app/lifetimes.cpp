#include <app/lifetimes.hpp>
#include <list>

namespace postern::app {

namespace asio = net::asio;

struct Lifetimes::State {
    struct One {
        std::uint64_t number;
        Time since;
        std::weak_ptr<const net::Generation> generation;
    };
    State(asio::thread_pool& freeing, std::function<void()> told) : pool(freeing), ended(std::move(told)) {}
    asio::thread_pool& pool;
    std::function<void()> ended;
    mutable std::mutex mutex;
    std::list<One> all;
};

Lifetimes::Lifetimes(asio::thread_pool& pool, std::function<void()> ended)
    : state_(std::make_shared<State>(pool, std::move(ended))) {}

std::shared_ptr<const net::Generation> Lifetimes::keep(std::shared_ptr<const net::Generation> generation) {
    const auto& state = state_;
    std::lock_guard lock(state->mutex);
    const auto place = state->all.insert(state->all.end(), {generation->number, std::chrono::system_clock::now(), {}});
    const auto* pointer = generation.get();
    // Who lets go last only posts; the inner reference, and with it everything, goes on the pool.
    std::shared_ptr<const net::Generation> counted(
        pointer, [state, place, inner = std::move(generation)](const net::Generation*) mutable {
            asio::post(state->pool, [state, place, inner = std::move(inner)]() mutable {
                inner.reset();
                {
                    std::lock_guard gone(state->mutex);
                    state->all.erase(place);
                }
                state->ended();
            });
        });
    place->generation = counted;
    return counted;
}

std::vector<Lifetimes::Living> Lifetimes::living() const {
    std::lock_guard lock(state_->mutex);
    std::vector<Living> all;
    for (const auto& one : state_->all)
        all.push_back({one.number, one.since, static_cast<std::size_t>(one.generation.use_count())});
    return all;
}

bool Lifetimes::full() const {
    std::lock_guard lock(state_->mutex);
    return state_->all.size() >= most;
}

std::string Lifetimes::older() const {
    auto all = living();
    if (!all.empty()) all.pop_back();
    std::string text;
    for (const auto& one : all)
        text += (text.empty() ? "" : ", ") + ("generation " + std::to_string(one.number)) + " (held by " +
                std::to_string(one.holders) + ")";
    return text;
}

}  // namespace postern::app
