#include <app/admin.hpp>
#include <app/announcements.hpp>
#include <app/control.hpp>
#include <app/daemon.hpp>
#include <app/descriptors.hpp>
#include <app/dispatcher.hpp>
#include <app/generations.hpp>
#include <app/listeners.hpp>
#include <app/log_sink.hpp>
#include <app/privileges.hpp>
#include <app/queue_parts.hpp>
#include <app/reload.hpp>
#include <app/script_timers.hpp>
#include <app/workers.hpp>
#include <base/threads.hpp>
#include <boost/asio/signal_set.hpp>
#include <filesystem>
#include <net/await.hpp>
#include <net/outbound.hpp>
#include <net/partner_certificates.hpp>
#include <queue/spool_folder.hpp>

namespace postern::app {

namespace asio = net::asio;

namespace {

constexpr int exit_config = 78, exit_system = 71;
// Beside some KiB a session: what sessions hold of what is not whole yet. Many times what they need at their busiest.
constexpr std::size_t most_held_octets = 24u << 20;

class Daemon {
public:
    Daemon(const DaemonOptions& options, StderrLog& log) : options_(options), log_(log), alarms_(log, counters_) {}
    int run();

private:
    plugins::HostParts host_parts();
    bool first_generation();
    bool open_spool();
    bool open_doors();
    void make_parts();
    Built build_generation(std::uint64_t number);
    void prepare(const std::shared_ptr<const net::Generation>& generation);
    void take(Listeners::Opened opened, std::shared_ptr<const net::Generation> generation);
    void signalled(int signal);
    void wait_for_signal();
    void tell(Event event, const std::vector<Detail>& details);
    void tick();
    net::awaitable<void> drain();
    std::unique_ptr<script::ScriptHost> script_host(const net::Generation& generation);

    DaemonOptions options_;
    StderrLog& log_;
    Counters counters_;
    Alarms alarms_;
    asio::io_context loop_{1};
    asio::thread_pool pool_{8}, token_pool_{2}, queue_pool_{2};
    asio::thread_pool reload_pool_{1};
    net::HandshakeMemory handshakes_;
    net::SourceRates rates_;
    net::HeldOctets held_octets_{most_held_octets};
    net::WarmConnections warm_;
    net::PartnerCertificates partner_certificates_;
    std::mutex generation_mutex_;
    std::shared_ptr<const net::Generation> generation_;
    std::weak_ptr<const net::Generation> applied_;  // what plugins take up: a moment before sessions do
    std::unique_ptr<plugins::PluginSet> plugins_;
    std::unique_ptr<queue::Spool> spool_;
    std::unique_ptr<queue::Queue> queue_;
    std::unique_ptr<net::Resolver> resolver_;
    std::unique_ptr<net::Services> services_;
    std::size_t worker_count_ = 0;  // settled by the first generation
    Workers workers_{[this](net::Worker& worker) { start_script_timers(*services_, worker); }};
    std::unique_ptr<Listeners> listeners_;
    std::unique_ptr<Dispatcher> dispatcher_;
    std::unique_ptr<AdminParts> admin_;
    std::unique_ptr<Control> control_;
    asio::signal_set signals_{loop_, SIGHUP, SIGTERM, SIGINT};
    std::atomic<bool> draining_{false};
    asio::steady_timer minute_{loop_};
    std::uint64_t ticks_ = 0;
    Lifetimes lifetimes_{reload_pool_, [this] { asio::post(loop_, [this] { reload_->one_ended(); }); }};
    std::unique_ptr<Reload> reload_;
};

plugins::HostParts Daemon::host_parts() {
    plugins::HostParts parts;
    parts.log = &log_;
    parts.counters = &counters_;
    parts.alarms = &alarms_;
    const auto taken_up = [this] {
        std::lock_guard lock(generation_mutex_);
        auto generation = applied_.lock();
        return generation ? generation : generation_;
    };
    parts.trust_scopes = [taken_up] {
        const auto generation = taken_up();
        return generation ? scopes_of(*generation->settings) : std::vector<TrustScopeFiles>();
    };
    parts.own_domains = [taken_up] {
        const auto generation = taken_up();
        return generation ? generation->settings->own_domains() : std::vector<std::string>();
    };
    parts.configuration = [taken_up] {
        const auto generation = taken_up();
        return generation ? view_of(*generation->settings) : ConfigurationView();
    };
    return parts;
}

bool Daemon::first_generation() {
    // The plugins need the state folder before the settings are whole: one early look at the file alone.
    auto early = config::load(options_.config_file);
    if (!early.settings) {
        // Every fault at once, those of the plugins' blocks too.
        plugins::PluginSet scratch(host_parts());
        report(log_, build(options_.config_file, 0, scratch).problems, "start-failed");
        return false;
    }
    const auto& settings = *early.settings;
    raise_descriptor_limit();
    const auto socket_folder = std::filesystem::path(settings.control_socket).parent_path().string();
    if (auto became = become(settings.user, {settings.spool, settings.state, socket_folder}); !became) {
        log_.error("start-failed", became.error().text);
        return false;
    }
    if (auto kept = settings.log_file.empty() ? Result<void>() : log_.also_to(settings.log_file); !kept) {
        log_.error(kept.error().id, kept.error().text);
        return false;
    }
    auto parts = host_parts();
    parts.state_folder = settings.state;
    plugins_ = std::make_unique<plugins::PluginSet>(std::move(parts));
    auto built = build_generation(1);
    report(log_, built.problems, "start-failed");
    if (built.generation) generation_ = lifetimes_.keep(std::move(built.generation));
    return generation_ != nullptr;
}

bool Daemon::open_spool() {
    const auto& settings = *generation_->settings;
    auto say = [this](const Problem& why) { log_.error(why.id, why.text); };
    auto opened = queue::open_spool(settings.spool, settings.spool_format, std::move(say));
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
    auto parts = queue_parts(*spool_, log_, counters_, current);
    parts.offload = [this](std::function<void()> task) { asio::post(pool_, std::move(task)); };
    parts.on_notice = [this](const queue::QueuedMessage& about, const queue::QueuedMessage& notice) {
        tell(Event::notice, {{"queue_id", about.id}, {"recipient", about.sender}, {"notice_id", notice.id}});
    };
    queue_ = std::make_unique<queue::Queue>(std::move(parts));
    resolver_ = std::make_unique<net::Resolver>(loop_, generation_->settings->resolver, log_, counters_);
    services_ = std::make_unique<net::Services>(
        net::Services{log_, counters_, alarms_, *plugins_, *spool_, *queue_, *resolver_, pool_, handshakes_,
                      [this](auto question) { announce(*services_, workers_.first(), std::move(question)); },
                      token_pool_, warm_, partner_certificates_, rates_, held_octets_});
    listeners_ = std::make_unique<Listeners>(*services_, workers_.all(), draining_);
    listeners_->on_crowd([this] { workers_.look_again(); });
    dispatcher_ = std::make_unique<Dispatcher>(loop_, *services_, workers_.all(), current);
    admin_ =
        std::make_unique<AdminParts>(AdminParts{current, *services_, queue_pool_, lifetimes_, generation_->settings});
    control_ = std::make_unique<Control>(
        loop_, [this](std::vector<std::string> words) { return answer(*admin_, std::move(words)); });
    // A reload may take its time; a session may not wait for a core.
    asio::post(reload_pool_, [] {
        name_this_thread("reload");
        give_way();
    });
    Reload::Parts reloading{loop_, reload_pool_, log_, lifetimes_, {}, {}, {}, {}, {}};
    reloading.build = [this](std::uint64_t number) { return build_generation(number); };
    reloading.prepare = [this](const auto& generation) { prepare(generation); };
    reloading.open = [this](const config::Settings& settings) { return listeners_->open(settings); };
    reloading.take = [this](auto opened, auto generation) { take(std::move(opened), std::move(generation)); };
    reloading.withdraw = [this] { plugins_->withdraw(); };
    reload_ = std::make_unique<Reload>(std::move(reloading), 2);
}

// The hosts know the settings, not the generation that owns them.
std::unique_ptr<script::ScriptHost> Daemon::script_host(const net::Generation& generation) {
    script::ScriptHostParts parts;
    parts.log = [this](Severity severity, std::string_view id, std::string_view text) {
        log_.write(severity, id, text);
    };
    parts.listed = [settings = generation.settings](std::string_view list, std::string_view domain) {
        return list == "send" ? settings->send_list.entry_for(domain) : settings->receive_list.entry_for(domain);
    };
    return std::make_unique<script::ScriptHost>(generation.scripts, std::move(parts));
}

// Scripts run here once a worker; for a reload that is on its own thread.
Built Daemon::build_generation(std::uint64_t number) {
    return build(options_.config_file, number, *plugins_, [this](net::Generation& generation) {
        const auto wanted = generation.settings->workers;
        if (worker_count_ == 0) worker_count_ = wanted ? wanted : std::max(1u, std::thread::hardware_concurrency());
        for (std::size_t i = 0; generation.scripts && i < worker_count_; ++i)
            generation.script_hosts.push_back(script_host(generation));
    });
}

// On the reload thread: plugins may read files.
void Daemon::prepare(const std::shared_ptr<const net::Generation>& generation) {
    {
        std::lock_guard lock(generation_mutex_);
        applied_ = generation;
    }
    plugins_->apply(generation->settings->plugins);
    raise_standing_alarms(*generation, *plugins_, alarms_);
}

// On the loop.
void Daemon::take(Listeners::Opened opened, std::shared_ptr<const net::Generation> generation) {
    report(log_, not_before_start(*generation_->settings, *generation->settings), "reload-refused");
    {
        std::lock_guard lock(generation_mutex_);
        generation_ = generation;
    }
    listeners_->use(std::move(opened), generation);
    workers_.take(generation);
    counters_.set("postern_generation", {}, static_cast<double>(generation->number));
    queue_->retry_now();
    tell(Event::config_reloaded, {{"file", options_.config_file}, {"generation", std::to_string(generation->number)}});
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
        plugins_->sweep();
        listeners_->count();
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
        reload_->ask();
    } else if (draining_.exchange(true)) {
        loop_.stop();
    } else {
        log_.info("draining", "no new sessions; those open may finish");
        auto draining = drain();
        asio::co_spawn(loop_, std::move(draining), asio::detached);
    }
}

net::awaitable<void> Daemon::drain() {
    reload_->stop();
    listeners_->close();
    dispatcher_->stop();
    workers_.look_again();
    const auto until = net::within(generation_->settings->drain_time);
    asio::steady_timer timer(loop_);
    for (;;) {
        const auto under_way = dispatcher_->under_way() + workers_.sessions();
        if (under_way == 0 || std::chrono::steady_clock::now() > until) break;
        timer.expires_after(std::chrono::milliseconds(50));
        (void)co_await timer.async_wait(net::no_throw);
    }
    loop_.stop();
}

bool Daemon::open_doors() {
    if (auto recovered = queue_->recover(); !recovered) {
        log_.error("start-failed", recovered.error().text);
        return false;
    }
    auto opened = listeners_->open(*generation_->settings);
    if (auto* closed = std::get_if<config::ConfigProblem>(&opened)) {
        report(log_, {*closed}, "start-failed");
        return false;
    }
    const auto& settings = *generation_->settings;
    const auto groups = control_groups(settings.control_look_group, settings.control_change_group);
    const auto controlled = groups ? control_->listen(settings.control_socket, *groups) : Result<void>(groups.error());
    if (!controlled) {
        log_.error("start-failed", controlled.error().text);
        return false;
    }
    listeners_->use(std::get<Listeners::Opened>(std::move(opened)), generation_);
    return true;
}

int Daemon::run() {
    if (!first_generation()) return exit_config;
    if (!open_spool()) return exit_system;
    make_parts();
    plugins_->apply(generation_->settings->plugins);
    workers_.start(worker_count_, generation_);
    const int status = open_doors() ? 0 : exit_system;
    if (status == 0) {
        counters_.set("postern_generation", {}, static_cast<double>(generation_->number));
        raise_standing_alarms(*generation_, *plugins_, alarms_);
        if (const auto missing = descriptors_missing(*generation_->settings); !missing.empty())
            log_.warning("config-warning", missing);
        dispatcher_->start();
        wait_for_signal();
        std::string where;
        for (const auto& address : listeners_->addresses()) where += " " + address;
        log_.info("started",
                  "generation 1, " + std::to_string(workers_.all().size()) + " workers, listening on" + where);
        tell(Event::start, {});
        tick();
        loop_.run();
        announce_and_wait(*services_, workers_.first(),
                          std::make_shared<policy::AskedQuestion>(Event::stop, nullptr, nullptr));
        log_.info("stopped", "the queue holds " + std::to_string(queue_->size()) + " messages");
    }
    control_->close();
    workers_.stop();
    queue_pool_.join();  // these wait for the next
    pool_.join();
    token_pool_.join();
    reload_pool_.join();
    spool_.reset();  // what was accepted is on disk already; this makes the next start short
    plugins_->retire();
    return status;
}

}  // namespace

int run_daemon(const DaemonOptions& options) {
    auto log = make_stderr_log(options.verbose ? Severity::debug : Severity::info);
    // What the parts hold is freed by the process's end: sessions cut off by a second SIGTERM still refer to it.
    auto* daemon = new Daemon(options, *log);
    const int status = daemon->run();
    log->flush();
    std::fflush(nullptr);
    std::_Exit(status);
}

}  // namespace postern::app
