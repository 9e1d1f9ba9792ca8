// How a coroutine waits for what is not a socket: a plugin's Pending answer, and work that blocks.
#pragma once

#include <base/gathering.hpp>
#include <functional>
#include <memory>
#include <net/asio.hpp>
#include <postern/pending.hpp>

namespace postern::net {

// The answer, or a failure with `late` as token when it did not come in time. A late answer finds nobody.
template <class T>
awaitable<Outcome<T>> answer_of(Pending<T> pending, std::chrono::milliseconds time, std::string late) {
    if (pending.ready()) co_return pending.take();
    auto executor = co_await asio::this_coro::executor;
    auto timer = std::make_shared<asio::steady_timer>(executor, time);
    // The timer is touched on this worker alone: the answering thread only posts.
    Wake wake = [timer, executor] { asio::post(executor, [timer] { timer->cancel(); }); };
    pending.on_ready(std::move(wake));
    (void)co_await timer->async_wait(no_throw);
    if (pending.ready()) co_return pending.take();
    pending.on_ready({});
    Failure failure{late, "no answer within " + std::to_string(time.count()) + " ms"};
    co_return failure;
}

namespace detail {
// optional, because Asio wants to default-construct what a spawned coroutine returns.
template <class F>
auto run_there(F work) -> awaitable<std::optional<decltype(work())>> {
    co_return std::optional<decltype(work())>(work());
}
}  // namespace detail

// Runs `work` on the pool and comes back to this worker with what it returned.
template <class F>
auto off_loop(asio::thread_pool& pool, F work) -> awaitable<decltype(work())> {
    // Named before it is awaited: GCC 12 destroys temporaries inside co_await expressions twice.
    auto there = detail::run_there(std::move(work));
    auto result = co_await asio::co_spawn(pool.get_executor(), std::move(there), asio::use_awaitable);
    co_return std::move(*result);
}

// Runs `task` on that executor's loop, from any thread; what one step of that thread tells the loop wakes it once.
inline void tell_loop(const asio::any_io_executor& executor, Gathering::Task task) {
    const auto post = [executor](Gathering::Task one) { asio::post(executor, std::move(one)); };
    Gathering::tell(&asio::query(executor, asio::execution::context), post, std::move(task));
}

// Calls `begin` with a function that takes the T, once, on any thread; comes back to this worker with it. No thread is
// held meanwhile.
template <class T, class Begin>
awaitable<T> told_later(Begin begin) {
    auto executor = co_await asio::this_coro::executor;
    struct Told {
        explicit Told(const asio::any_io_executor& on) : timer(on, asio::steady_timer::time_point::max()) {}
        asio::steady_timer timer;
        std::optional<T> value;
    };
    auto told = std::make_shared<Told>(executor);
    std::function<void(T)> tell = [told, executor](T value) {
        auto carried = std::make_shared<T>(std::move(value));
        tell_loop(executor, [told, carried] {
            told->value = std::move(*carried);
            told->timer.cancel();
        });
    };
    begin(std::move(tell));
    // Told on this very thread already, perhaps: what was posted runs once we wait.
    (void)co_await told->timer.async_wait(no_throw);
    co_return std::move(*told->value);
}

}  // namespace postern::net
