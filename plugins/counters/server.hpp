// One HTTP server with two pages: /metrics and /healthz. It does not know where its text comes from. Bounded in
// connections, memory, idle time and, by sweep(), the whole life of a connection.
#pragma once

#include <counters/settings.hpp>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

struct MHD_Daemon;

namespace postern::counters {

struct ServerLimits {
    unsigned connections = 32;
    std::size_t octets = 16u << 10;  // of one connection's request and reply head
    std::chrono::seconds idle{10};
    std::chrono::milliseconds life{60000};  // a request fed octet by octet is never idle
};

class Server {
public:
    using Page = std::function<std::string()>;  // called on the server's thread; if it throws, the connection ends

    // The failure names address, fault and remedy.
    static Outcome<std::unique_ptr<Server>> listen(const ListenAddress& address, Page metrics,
                                                   ServerLimits limits = {});
    ~Server();  // ends open connections
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    const ListenAddress& address() const { return address_; }  // with the real port
    void sweep();                                              // ends connections that are older than their life

    // For the library's callbacks.
    std::string page() const { return metrics_(); }
    void closed(int socket);

private:
    using Clock = std::chrono::steady_clock;
    Server(ListenAddress address, Page metrics, ServerLimits limits)
        : address_(address), metrics_(std::move(metrics)), limits_(limits) {}
    std::optional<Failure> start(int listener);
    void accept_all();
    bool room();

    ListenAddress address_;
    Page metrics_;
    ServerLimits limits_;
    MHD_Daemon* daemon_ = nullptr;
    std::mutex mutex_;
    std::map<int, Clock::time_point> open_;  // by socket: since when
    int listener_ = -1, stop_ = -1;          // stop_: an eventfd
    std::thread acceptor_;
};

}  // namespace postern::counters
