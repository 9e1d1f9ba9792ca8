// The threads that sessions live on: an event loop each, and the generation under which what is new there begins. A
// generation is handed to all of them by a post; none ever waits for it. Knows nothing of reloads, plugins or the
// queue.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <functional>
#include <net/services.hpp>
#include <thread>

namespace postern::app {

class Workers {
public:
    using List = std::vector<std::unique_ptr<net::Worker>>;
    using TookUp = std::function<void(net::Worker&)>;  // on the worker, at its start and behind each generation
    explicit Workers(TookUp took_up) : took_up_(std::move(took_up)) {}

    // Empty before start(); the same list ever after.
    const List& all() const { return workers_; }
    List& all() { return workers_; }
    net::Worker& first() { return *workers_.front(); }

    void start(std::size_t count, const std::shared_ptr<const net::Generation>& generation);
    // What begins from now on does so under that one; those who wait on an older one are told.
    void take(const std::shared_ptr<const net::Generation>& generation);
    void look_again();  // whoever waits may have less time now
    std::size_t sessions() const;
    void stop();  // blocks until their threads have ended

private:
    using News = void (net::GenerationHolder::*)();
    static void tell_holders(net::Worker& worker, News news, net::GenerationHolder* after);

    TookUp took_up_;
    List workers_;
    std::vector<net::asio::executor_work_guard<net::asio::io_context::executor_type>> guards_;
    std::vector<std::thread> threads_;
};

}  // namespace postern::app
