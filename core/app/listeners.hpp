// Listening sockets, kept by address across reloads; each connection goes to the least loaded worker. Limits that are
// met before a session begins are held here.
#pragma once

#include <map>
#include <net/services.hpp>
#include <variant>
#include <vector>

namespace postern::app {

class Listeners {
public:
    Listeners(net::asio::io_context& loop, net::Services& services, std::vector<std::unique_ptr<net::Worker>>& workers,
              const std::atomic<bool>& draining)
        : loop_(loop), services_(services), workers_(workers), draining_(draining) {}

    struct Listener {
        net::tcp::acceptor acceptor;
        std::string key;
    };
    using Opened = std::map<std::string, std::shared_ptr<Listener>>;
    // Opens what is new beside what is there; nothing is accepted yet. The problem names the connector's place.
    std::variant<Opened, config::ConfigProblem> open(const config::Settings& settings);
    // Closes what is gone and accepts on all of `opened`, by this generation's connectors.
    void use(Opened opened, std::shared_ptr<const net::Generation> generation);
    void close();
    std::vector<std::string> addresses() const;

private:
    net::awaitable<void> accept(std::shared_ptr<Listener> listener);
    std::size_t held(const std::string& source) const {
        auto found = per_source_.find(source);
        return found == per_source_.end() ? 0 : found->second;
    }
    void hand_over(net::tcp::socket socket, net::Worker& worker, const std::string& key);
    const config::ReceiveConnector* connector_for(const std::string& key, const std::string& remote) const;

    net::asio::io_context& loop_;
    net::Services& services_;
    std::vector<std::unique_ptr<net::Worker>>& workers_;
    const std::atomic<bool>& draining_;
    std::shared_ptr<const net::Generation> generation_;
    Opened listeners_;
    std::map<std::string, std::size_t> per_source_;
    std::size_t open_ = 0;
};

}  // namespace postern::app
