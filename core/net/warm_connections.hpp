// Connections that stand open with nothing to send: who looks after the schedule wakes one of them instead of opening
// another. Each stands for one destination (route, domain, requirement) alone and ends itself when its time is over,
// the peer closes, or the configuration or its certificate is another. Knows no sockets. Any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <queue/schedule.hpp>
#include <vector>

namespace postern::net {

class WarmConnections {
public:
    using Ticket = std::uint64_t;
    // `wake` is called at most once, on any thread. Nothing: enough stand already, or none shall any more.
    std::optional<Ticket> enter(const queue::Destination& destination, std::function<void()> wake);
    // It stands no longer. False: it was woken, and whoever woke it counts on it.
    bool leave(Ticket ticket);

    std::size_t idle(const queue::Destination& destination) const;
    // The one that was used last; false: none stands.
    bool wake(const queue::Destination& destination);
    // Shutdown: all are woken, and none stands any more.
    void end();
    bool ended() const;

private:
    struct Standing {
        Ticket ticket;
        std::function<void()> wake;
    };
    mutable std::mutex mutex_;
    std::map<queue::Destination, std::vector<Standing>> standing_;
    std::map<Ticket, queue::Destination> where_;
    Ticket last_ = 0;
    bool ended_ = false;
};

}  // namespace postern::net
