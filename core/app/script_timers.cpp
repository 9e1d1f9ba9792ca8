#include <app/script_timers.hpp>
#include <net/deciding.hpp>

namespace postern::app {

namespace asio = net::asio;

// The first run comes at once, so that what is fetched ahead is there soon.
static net::awaitable<void> run(const net::Services& services, net::Worker& worker,
                                std::weak_ptr<const net::Generation> mine, script::TimerPlace timer,
                                std::shared_ptr<asio::steady_timer> clock) {
    const auto in_force = [&] { return mine.lock() == worker.generation; };
    while (in_force()) {
        co_await net::run_timer(services, worker, worker.generation, timer);
        if (!in_force()) break;
        clock->expires_after(timer.every);
        (void)co_await clock->async_wait(net::no_throw);
    }
}

void start_script_timers(const net::Services& services, net::Worker& worker) {
    for (const auto& clock : worker.script_clocks) clock->cancel();  // those of the older generation see it and end
    worker.script_clocks.clear();
    const auto& generation = worker.generation;
    if (!generation->script_host(worker)) return;
    for (const auto& timer : generation->scripts->timers()) {
        auto clock = std::make_shared<asio::steady_timer>(worker.loop);
        worker.script_clocks.push_back(clock);
        auto running = run(services, worker, generation, timer, std::move(clock));
        asio::co_spawn(worker.loop, std::move(running), asio::detached);
    }
}

}  // namespace postern::app
