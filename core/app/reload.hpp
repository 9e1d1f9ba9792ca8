// SIGHUP: one reload at a time, each taken whole or not at all. What costs is done on the reload thread, what sessions
// could feel in one short step on the loop. While as many generations live as may, a reload waits until one ends, and
// all that are asked for meanwhile are one.
#pragma once

#include <app/generations.hpp>
#include <app/lifetimes.hpp>
#include <app/listeners.hpp>

namespace postern::app {

class Reload {
public:
    struct Parts {
        net::asio::io_context& loop;
        net::asio::thread_pool& thread;  // one thread
        Log& log;
        Lifetimes& lifetimes;
        // On the reload thread.
        std::function<Built(std::uint64_t number)> build;
        std::function<void(const std::shared_ptr<const net::Generation>&)> prepare;
        // On the loop.
        std::function<std::variant<Listeners::Opened, config::ConfigProblem>(const config::Settings&)> open;
        std::function<void(Listeners::Opened, std::shared_ptr<const net::Generation>)> take;
        std::function<void()> withdraw;
    };
    Reload(Parts parts, std::uint64_t next_number) : parts_(std::move(parts)), next_number_(next_number) {}

    // On the loop, all of these.
    void ask();
    void one_ended();  // of the generations
    void stop() { stopped_ = true; }

private:
    using Began = std::chrono::steady_clock::time_point;
    void begin();
    void built(const std::shared_ptr<Built>& built, Began began);
    void opened(Listeners::Opened opened, std::shared_ptr<const net::Generation> generation, Began began);
    void taken(Listeners::Opened opened, std::shared_ptr<const net::Generation> generation, Began began);
    void done();

    Parts parts_;
    std::uint64_t next_number_;
    bool running_ = false, again_ = false, waiting_ = false, stopped_ = false;
};

// Logs every fault under `id`, and of the warnings the first fifty; whether there was a fault.
bool report(Log& log, const std::vector<config::ConfigProblem>& problems, std::string_view id);

}  // namespace postern::app
