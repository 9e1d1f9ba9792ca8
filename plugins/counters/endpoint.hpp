// Keeps a server listening where the settings say: moves it when they change, tries again while the address is taken,
// ends connections that live too long. Does not know HTTP (server.hpp) nor the text (exposition.hpp).
#pragma once

#include <counters/server.hpp>

namespace postern::counters {

class Endpoint {
public:
    explicit Endpoint(Host& host) : host_(host) {}
    void listen_on(const ListenAddress& address);
    void stop();

private:
    static constexpr std::chrono::seconds between_looks{15};
    void open();  // under the mutex
    void tick();

    Host& host_;
    std::mutex mutex_;
    std::optional<ListenAddress> wanted_;
    std::unique_ptr<Server> server_;
    bool ticking_ = false, stopped_ = false;
};

}  // namespace postern::counters
