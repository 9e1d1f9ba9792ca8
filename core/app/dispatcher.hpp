// Looks after the schedule: opens a delivery coroutine for each destination that has something due, within the
// destination's concurrency, on the least loaded worker.
#pragma once

#include <atomic>
#include <map>
#include <net/services.hpp>
#include <vector>

namespace postern::app {

class Dispatcher {
public:
    using Current = std::function<std::shared_ptr<const net::Generation>()>;  // the workers' own are theirs alone
    Dispatcher(net::asio::io_context& loop, net::Services& services, std::vector<std::unique_ptr<net::Worker>>& workers,
               Current current)
        : loop_(loop), services_(services), workers_(workers), current_(std::move(current)), timer_(loop) {}
    void start();
    void stop();  // no new deliveries; those under way finish
    std::size_t under_way() const { return under_way_; }

private:
    void look();
    void look_soon();
    void launch(const queue::Destination& destination);
    std::size_t concurrency(const queue::Destination& destination) const;

    net::asio::io_context& loop_;
    net::Services& services_;
    std::vector<std::unique_ptr<net::Worker>>& workers_;
    Current current_;
    net::asio::steady_timer timer_;
    std::map<queue::Destination, std::size_t> active_;
    std::map<queue::Destination, std::chrono::steady_clock::time_point> behind_;  // since when those at work do not do
    std::size_t under_way_ = 0, turn_ = 0;
    bool stopped_ = false;
    std::chrono::steady_clock::time_point looked_at_{};
    std::atomic<bool> looking_{false};
};

}  // namespace postern::app
