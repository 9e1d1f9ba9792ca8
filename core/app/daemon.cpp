#include <app/announcements.hpp>
#include <app/control.hpp>
#include <app/daemon.hpp>
#include <app/dispatcher.hpp>
#include <app/generations.hpp>
#include <app/listeners.hpp>
#include <app/log_sink.hpp>
#include <app/privileges.hpp>
#include <app/status.hpp>
#include <app/verbs.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/signal_set.hpp>
#include <filesystem>
#include <net/await.hpp>
#include <net/outbound.hpp>
#include <queue/file_spool.hpp>
#include <thread>

namespace postern::app {

namespace asio = net::asio;

namespace {

constexpr int exit_config = 78, exit_system = 71;

class Daemon {
public:
    Daemon(const DaemonOptions& options, Log& log) : options_(options), log_(log), alarms_(log, counters_) {}
    int run();

private:
    plugins::HostParts host_parts();
    bool first_generation();
    bool open_spool();
    void make_parts();
    void start_workers();
    void take(std::shared_ptr<const net::Generation> generation);
    void reload();
    void signalled(int signal);
    void wait_for_signal();
    void tell(Event event, const std::vector<Detail>& details);
    void tick();
    net::awaitable<void> drain();
    net::awaitable<VerbResult> answer(std::vector<std::string> words);
    std::unique_ptr<script::ScriptHost> script_host(const std::shared_ptr<const net::Generation>& generation);
    bool report(const std::vector<config::ConfigProblem>& problems, std::string_view id);

    DaemonOptions options_;
    Log& log_;
    Counters counters_;
    Alarms alarms_;
    asio::io_context loop_{1};
    asio::thread_pool pool_{8};
    asio::thread_pool reload_pool_{1};
    net::HandshakeMemory handshakes_;
    std::mutex generation_mutex_;
    std::shared_ptr<const net::Generation> generation_;
    std::unique_ptr<plugins::PluginSet> plugins_;
    std::unique_ptr<queue::Spool> spool_;
    std::unique_ptr<queue::Queue> queue_;
    std::unique_ptr<net::Resolver> resolver_;
    std::unique_ptr<net::Services> services_;
    std::vector<std::unique_ptr<net::Worker>> workers_;
    std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
    std::vector<std::thread> threads_;
    std::unique_ptr<Listeners> listeners_;
    std::unique_ptr<Dispatcher> dispatcher_;
    std::unique_ptr<Control> control_;
    asio::signal_set signals_{loop_, SIGHUP, SIGTERM, SIGINT};
    std::atomic<bool> draining_{false};
    asio::steady_timer minute_{loop_};
    std::uint64_t ticks_ = 0;
    bool reloading_ = false, reload_again_ = false;
    std::uint64_t next_number_ = 1;
};

bool Daemon::report(const std::vector<config::ConfigProblem>& problems, std::string_view id) {
    bool fatal = false;
    for (const auto& problem : problems) {
        fatal |= !problem.warning;
        if (problem.warning) log_.warning("config-warning", config::to_text(problem));
        else log_.error(id, config::to_text(problem));
    }
    return fatal;
}

plugins::HostParts Daemon::host_parts() {
    plugins::HostParts parts;
    parts.log = &log_;
    parts.counters = &counters_;
    parts.alarms = &alarms_;
    parts.own_domains = [this] {
        std::lock_guard lock(generation_mutex_);
        return generation_ ? generation_->settings->own_domains() : std::vector<std::string>();
    };
    return parts;
}

bool Daemon::first_generation() {
    // The plugins need the state folder before the settings are whole: one early look at the file alone.
    auto early = config::load(options_.config_file);
    if (!early.settings) {
        // Every fault at once, those of the plugins' blocks too.
        plugins::PluginSet scratch(host_parts());
        report(build(options_.config_file, 0, scratch).problems, "start-failed");
        return false;
    }
    const auto& settings = *early.settings;
    const auto socket_folder = std::filesystem::path(settings.control_socket).parent_path().string();
    if (auto became = become(settings.user, {settings.spool, settings.state, socket_folder}); !became) {
        log_.error("start-failed", became.error().text);
        return false;
    }
    auto parts = host_parts();
    parts.state_folder = settings.state;
    plugins_ = std::make_unique<plugins::PluginSet>(std::move(parts));
    auto built = build(options_.config_file, next_number_++, *plugins_);
    report(built.problems, "start-failed");
    generation_ = built.generation;
    return generation_ != nullptr;
}

bool Daemon::open_spool() {
    auto opened = queue::open_file_spool(generation_->settings->spool);
    if (!opened) {
        log_.error("start-failed", opened.error().text);
        return false;
    }
    spool_ = std::move(*opened);
    return true;
}

void Daemon::make_parts() {
    const auto current = [this] {
        std::lock_guard lock(generation_mutex_);
        return generation_;
    };
    queue::Queue::Parts parts{
        *spool_, log_, counters_, {}, {}, generation_->settings->fqdn, [] { return std::chrono::system_clock::now(); },
        {}};
    parts.on_notice = [this](const queue::QueuedMessage& about, const queue::QueuedMessage& notice) {
        tell(Event::notice, {{"queue_id", about.id}, {"recipient", about.sender}, {"notice_id", notice.id}});
    };
    parts.router = [current](const queue::QueuedMessage&, const queue::QueuedRecipient& recipient) {
        return net::route(*current(), recipient);
    };
    parts.retry = [current](const queue::Destination& destination) {
        const auto generation = current();
        for (const auto& connector : generation->settings->send_connectors)
            if (destination.route == std::string(net::smtp_route) + connector.name) return connector.retry;
        return config::Retry{};
    };
    queue_ = std::make_unique<queue::Queue>(std::move(parts));
    resolver_ = std::make_unique<net::Resolver>(loop_, generation_->settings->resolver);
    services_ = std::make_unique<net::Services>(
        net::Services{log_, counters_, alarms_, *plugins_, *spool_, *queue_, *resolver_, pool_, handshakes_,
                      [this](auto question) { announce(*services_, *workers_.front(), std::move(question)); }});
    listeners_ = std::make_unique<Listeners>(loop_, *services_, workers_, draining_);
    dispatcher_ = std::make_unique<Dispatcher>(loop_, *services_, workers_, current);
    control_ =
        std::make_unique<Control>(loop_, [this](std::vector<std::string> words) { return answer(std::move(words)); });
}

std::unique_ptr<script::ScriptHost> Daemon::script_host(const std::shared_ptr<const net::Generation>& generation) {
    if (!generation->scripts) return nullptr;
    script::ScriptHostParts parts;
    parts.log = [this](Severity severity, std::string_view id, std::string_view text) {
        log_.write(severity, id, text);
    };
    parts.listed = [generation](std::string_view list, std::string_view domain) {
        const auto& settings = *generation->settings;
        return list == "send" ? settings.send_list.entry_for(domain) : settings.receive_list.entry_for(domain);
    };
    return std::make_unique<script::ScriptHost>(generation->scripts, std::move(parts));
}

void Daemon::start_workers() {
    auto count = generation_->settings->workers;
    if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; ++i) {
        auto worker = std::make_unique<net::Worker>();
        worker->generation = generation_;
        worker->scripts = script_host(generation_);
        guards_.push_back(asio::make_work_guard(worker->loop));
        workers_.push_back(std::move(worker));
    }
    for (auto& worker : workers_) threads_.emplace_back([&loop = worker->loop] { loop.run(); });
}

// On the loop's thread. The old generation is dropped off the workers: freeing 10,000 partners there is a pause.
void Daemon::take(std::shared_ptr<const net::Generation> generation) {
    {
        std::lock_guard lock(generation_mutex_);
        generation_ = generation;
    }
    for (auto& worker : workers_) {
        auto host = std::make_shared<std::unique_ptr<script::ScriptHost>>(script_host(generation));
        asio::post(worker->loop, [this, &one = *worker, generation, host] {
            auto old = std::exchange(one.generation, generation);
            std::swap(one.scripts, *host);
            asio::post(pool_, [old = std::move(old), host] {});
        });
    }
    counters_.set("postern_generation", {}, static_cast<double>(generation->number));
    raise_standing_alarms(*generation, *plugins_, alarms_);
}

void Daemon::reload() {
    if (std::exchange(reloading_, true)) {
        reload_again_ = true;
        return;
    }
    asio::post(reload_pool_, [this] {
        auto built = std::make_shared<Built>(build(options_.config_file, next_number_, *plugins_));
        asio::post(loop_, [this, built] {
            const bool refused = report(built->problems, "reload-refused") || !built->generation;
            if (!refused) {
                if (auto listening = listeners_->listen(built->generation); !listening) {
                    log_.error("reload-refused", listening.error().text);
                    plugins_->withdraw();
                } else {
                    ++next_number_;
                    plugins_->apply(built->generation->settings->plugins);
                    take(built->generation);
                    queue_->retry_now();
                    log_.info("reloaded", "generation " + std::to_string(built->generation->number) + " is in force");
                    tell(Event::config_reloaded,
                         {{"file", options_.config_file}, {"generation", std::to_string(built->generation->number)}});
                }
            }
            reloading_ = false;
            if (std::exchange(reload_again_, false)) reload();
        });
    });
}

void Daemon::tell(Event event, const std::vector<Detail>& details) {
    auto question = std::make_shared<policy::AskedQuestion>(event, nullptr, nullptr);
    for (const auto& one : details) question->with(one.name, one.value);
    services_->announce(std::move(question));
}

void Daemon::tick() {
    minute_.expires_after(std::chrono::minutes(1));
    minute_.async_wait([this](net::error_code error) {
        if (error) return;
        tell(Event::timer, {{"tick", std::to_string(++ticks_)}});
        tick();
    });
}

void Daemon::wait_for_signal() {
    signals_.async_wait([this](net::error_code error, int signal) {
        if (error) return;
        signalled(signal);
        wait_for_signal();
    });
}

void Daemon::signalled(int signal) {
    if (signal == SIGHUP) {
        reload();
    } else if (draining_.exchange(true)) {
        loop_.stop();
    } else {
        log_.info("draining", "no new sessions; those open may finish");
        auto draining = drain();
        asio::co_spawn(loop_, std::move(draining), asio::detached);
    }
}

net::awaitable<void> Daemon::drain() {
    listeners_->close();
    dispatcher_->stop();
    const auto until = net::within(generation_->settings->drain_time);
    asio::steady_timer timer(loop_);
    for (;;) {
        std::size_t sessions = dispatcher_->under_way();
        for (const auto& worker : workers_) sessions += worker->sessions;
        if (sessions == 0 || std::chrono::steady_clock::now() > until) break;
        timer.expires_after(std::chrono::milliseconds(50));
        (void)co_await timer.async_wait(net::no_throw);
    }
    loop_.stop();
}

net::awaitable<VerbResult> Daemon::answer(std::vector<std::string> words) {
    if (words.front() == "status") co_return status_text(*generation_, alarms_, counters_, *plugins_, words);
    if (words.size() == 3 && words[0] == "queue" && words[1] == "release") {
        auto work = [&] { return queue_->release_held(words[2]); };
        const bool released = co_await net::off_loop(pool_, std::move(work));
        VerbResult result{released ? 0 : 1, released ? words[2] + " is due again\n" : std::string(),
                          released ? std::string() : "no message " + words[2] + " is held\n"};
        co_return result;
    }
    const auto known = known_verbs(*plugins_);
    if (const auto* verb = find_verb(known, words); verb && verb->spec.runs != VerbRuns::here) {
        auto pending = verb->from.verbs->run(words);
        auto result = co_await net::answer_of(std::move(pending), std::chrono::minutes(2), "control-failed");
        if (result) co_return *result;
        VerbResult failed{75, {}, result.failure.text + "\n"};
        co_return failed;
    }
    VerbResult unknown{2, {}, "the daemon knows no such command: " + words.front() + "\n"};
    co_return unknown;
}

int Daemon::run() {
    if (!first_generation()) return exit_config;
    if (!open_spool()) return exit_system;
    make_parts();
    plugins_->apply(generation_->settings->plugins);
    start_workers();
    int status = 0;
    if (auto recovered = queue_->recover(); !recovered) {
        log_.error("start-failed", recovered.error().text);
        status = exit_system;
    } else if (auto listening = listeners_->listen(generation_); !listening) {
        log_.error("start-failed", listening.error().text);
        status = exit_system;
    } else if (auto controlled = control_->listen(generation_->settings->control_socket); !controlled) {
        log_.error("start-failed", controlled.error().text);
        status = exit_system;
    }
    if (status == 0) {
        counters_.set("postern_generation", {}, static_cast<double>(generation_->number));
        raise_standing_alarms(*generation_, *plugins_, alarms_);
        dispatcher_->start();
        wait_for_signal();
        std::string where;
        for (const auto& address : listeners_->addresses()) where += " " + address;
        log_.info("started", "generation 1, " + std::to_string(workers_.size()) + " workers, listening on" + where);
        tell(Event::start, {});
        tick();
        loop_.run();
        announce_and_wait(*services_, *workers_.front(),
                          std::make_shared<policy::AskedQuestion>(Event::stop, nullptr, nullptr));
        log_.info("stopped", "the queue holds " + std::to_string(queue_->size()) + " messages");
    }
    control_->close();
    for (auto& worker : workers_) worker->loop.stop();
    for (auto& thread : threads_) thread.join();
    pool_.join();
    reload_pool_.join();
    plugins_->retire();
    return status;
}

}  // namespace

int run_daemon(const DaemonOptions& options) {
    auto log = make_stderr_log(options.verbose ? Severity::debug : Severity::info);
    // What the parts hold is freed by the process's end: sessions cut off by a second SIGTERM still refer to it.
    auto* daemon = new Daemon(options, *log);
    const int status = daemon->run();
    std::fflush(nullptr);
    std::_Exit(status);
}

}  // namespace postern::app
