// Listening sockets, kept by address across reloads; each connection goes to the least loaded worker. Limits that are
// met before a session begins are held here. Opened and closed by the daemon's loop; a worker accepts, so that a
// session begins and ends without another thread.
#pragma once

#include <map>
#include <mutex>
#include <net/inbound.hpp>
#include <net/services.hpp>
#include <variant>
#include <vector>

namespace postern::app {

class Listeners {
public:
    Listeners(net::Services& services, std::vector<std::unique_ptr<net::Worker>>& workers,
              const std::atomic<bool>& draining)
        : services_(services), workers_(workers), draining_(draining) {}

    struct Listener {
        net::tcp::acceptor acceptor;  // its worker's, once it accepts
        std::string key, address;
    };
    // Told on any thread when connections become many.
    const std::atomic<bool>& crowded() const { return crowded_; }
    void on_crowd(std::function<void()> tell) { on_crowd_ = std::move(tell); }
    // Looks anew how many there are.
    void count();
    using Opened = std::map<std::string, std::shared_ptr<Listener>>;
    // Opens what is new beside what is there; nothing is accepted yet. The problem names the connector's place.
    std::variant<Opened, config::ConfigProblem> open(const config::Settings& settings);
    // Closes what is gone and accepts on all of `opened`, by this generation's connectors.
    void use(Opened opened, std::shared_ptr<const net::Generation> generation);
    void close();
    std::vector<std::string> addresses() const;

private:
    net::awaitable<void> accept(std::shared_ptr<Listener> listener);
    void accept_failed(const net::error_code& why);
    using Counted = std::shared_ptr<bool>;  // among those of its source
    net::Admission admission(const std::string& source, Counted counted);
    net::Worker& least_loaded() const;
    void hand_over(net::tcp::socket socket, net::Worker& worker, const std::string& key);
    // Empty: counted as open. Otherwise why it is turned away.
    std::string take(const config::ReceiveConnector* connector, const std::string& source);
    void give_back(const std::string& source, bool& counted);
    void release(const std::string& source, bool& counted);  // with the mutex held, as look()
    void look();

    net::Services& services_;
    std::vector<std::unique_ptr<net::Worker>>& workers_;
    const std::atomic<bool>& draining_;
    Opened listeners_;

    std::mutex mutex_;  // what follows
    std::shared_ptr<const net::Generation> generation_;
    std::map<std::string, std::size_t> per_source_;
    std::size_t open_ = 0, most_ = 0;
    std::atomic<bool> crowded_{false};
    net::Deadline short_until_{};  // of descriptors
    std::function<void()> on_crowd_;
};

}  // namespace postern::app
