#include <algorithm>
#include <app/dispatcher.hpp>
#include <app/queue_parts.hpp>
#include <net/outbound.hpp>
#include <utility>

namespace postern::app {

namespace asio = net::asio;

// Bounds sockets and descriptors whatever the queue holds.
static constexpr std::size_t most_under_way = 500;
static constexpr std::chrono::seconds longest_sleep{30};
// Under load something changes all the time, and what is warm takes it: a look each time would find nothing to do.
static constexpr std::chrono::milliseconds between_looks{2};
// Connections at work take what waits behind it; where something still waits after so long, they take too long.
static constexpr std::chrono::seconds patience{1};

void Dispatcher::start() {
    services_.queue.on_change([this] {
        // A look for all that changed meanwhile, not one each.
        if (!looking_.exchange(true)) asio::post(loop_, [this] { look_soon(); });
    });
    look();
}

void Dispatcher::stop() {
    stopped_ = true;
    services_.queue.on_change({});
    services_.warm.end();
    timer_.cancel();
}

std::size_t Dispatcher::concurrency(const queue::Destination& destination) const {
    const auto generation = current_();
    const auto* connector = send_connector_of(*generation->settings, destination);
    return connector ? connector->concurrency : 4;
}

void Dispatcher::look_soon() {
    const auto at = looked_at_ + between_looks;
    if (at <= std::chrono::steady_clock::now()) return look();
    timer_.expires_at(at);
    timer_.async_wait([this](net::error_code error) {
        if (!error) look();
    });
}

void Dispatcher::look() {
    looking_ = false;
    looked_at_ = std::chrono::steady_clock::now();
    if (stopped_) return;
    const auto now = std::chrono::system_clock::now();
    std::vector<queue::Destination> wanted;
    auto behind = std::exchange(behind_, {});
    services_.queue.due(now, [&](const queue::Destination& destination, std::size_t waiting) {
        const auto found = active_.find(destination);
        const auto active = found == active_.end() ? 0 : found->second;
        const auto idle = active ? services_.warm.idle(destination) : 0;
        // Each look may add one: a burst opens connections as fast as it lasts, and what is warm serves the rest.
        const bool free = idle > 0 || active < concurrency(destination);
        const auto since = behind.emplace(destination, looked_at_).first->second;
        const bool wants = free && (active - idle < waiting || looked_at_ - since >= patience);
        if (free) behind_.emplace(destination, wants ? looked_at_ : since);
        if (wants) wanted.push_back(destination);
        return under_way_ + wanted.size() < most_under_way;
    });
    for (const auto& destination : wanted)
        if (!services_.warm.wake(destination)) launch(destination);
    auto sleep = std::chrono::duration_cast<std::chrono::milliseconds>(longest_sleep);
    if (const auto next = services_.queue.next_due(); next && *next > now)
        sleep = std::min(sleep, std::chrono::ceil<std::chrono::milliseconds>(*next - now));
    if (!behind_.empty()) sleep = std::min<std::chrono::milliseconds>(sleep, patience);
    timer_.expires_after(sleep);
    timer_.async_wait([this](net::error_code error) {
        if (!error) look();
    });
}

void Dispatcher::launch(const queue::Destination& destination) {
    ++active_[destination];
    ++under_way_;
    auto& worker = *workers_[turn_++ % workers_.size()];
    auto ended = [this, destination](std::exception_ptr failed) {
        asio::post(loop_, [this, destination, failed] {
            if (--active_[destination] == 0) active_.erase(destination);
            --under_way_;
            if (failed) services_.log.error("plugin-failed", "a delivery ended by an exception that nobody caught");
            look();
        });
    };
    auto delivery = net::deliver(services_, worker, destination);
    asio::co_spawn(worker.loop, std::move(delivery), std::move(ended));
}

}  // namespace postern::app
