#include <app/reload.hpp>

namespace postern::app {

namespace asio = net::asio;

// A thousand listed domains may earn a thousand of them, at each reload.
static constexpr std::size_t most_warnings = 50;

bool report(Log& log, const std::vector<config::ConfigProblem>& problems, std::string_view id) {
    bool fatal = false;
    std::size_t warnings = 0;
    for (const auto& problem : problems) {
        fatal |= !problem.warning;
        if (!problem.warning) log.error(id, config::to_text(problem));
        else if (++warnings <= most_warnings) log.warning("config-warning", config::to_text(problem));
    }
    if (warnings > most_warnings)
        log.warning("config-warning",
                    "and " + std::to_string(warnings - most_warnings) + " more: postern config check");
    return fatal;
}

void Reload::ask() {
    if (stopped_) return;
    if (running_ || waiting_) {
        again_ = true;
        return;
    }
    if (parts_.lifetimes.full()) {
        waiting_ = true;
        parts_.log.warning("reload-waiting", std::to_string(Lifetimes::most) +
                                                 " generations live: " + parts_.lifetimes.older() +
                                                 "; the reload follows when one of them ends");
        return;
    }
    running_ = true;
    begin();
}

void Reload::one_ended() {
    if (!waiting_ || parts_.lifetimes.full()) return;
    waiting_ = again_ = false;  // those that came meanwhile are this one
    ask();
}

void Reload::begin() {
    asio::post(parts_.thread, [this, began = std::chrono::steady_clock::now()] {
        auto built_now = std::make_shared<Built>(parts_.build(next_number_));
        if (built_now->generation) built_now->generation = parts_.lifetimes.keep(std::move(built_now->generation));
        asio::post(parts_.loop, [this, built_now, began] { built(built_now, began); });
    });
}

void Reload::built(const std::shared_ptr<Built>& built, Began began) {
    if (report(parts_.log, built->problems, "reload-refused") || !built->generation) return done();
    auto sockets = parts_.open(*built->generation->settings);
    if (auto* problem = std::get_if<config::ConfigProblem>(&sockets)) {
        report(parts_.log, {*problem}, "reload-refused");
        parts_.withdraw();
        return done();
    }
    opened(std::get<Listeners::Opened>(std::move(sockets)), std::move(built->generation), began);
}

void Reload::opened(Listeners::Opened opened, std::shared_ptr<const net::Generation> generation, Began began) {
    asio::post(parts_.thread, [this, opened = std::move(opened), generation = std::move(generation), began]() mutable {
        parts_.prepare(generation);
        asio::post(parts_.loop, [this, opened = std::move(opened), generation = std::move(generation),
                                 began]() mutable { taken(std::move(opened), std::move(generation), began); });
    });
}

void Reload::taken(Listeners::Opened opened, std::shared_ptr<const net::Generation> generation, Began began) {
    if (stopped_) return;  // draining: nothing is listened on again
    ++next_number_;
    const auto number = generation->number;
    parts_.take(std::move(opened), std::move(generation));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    parts_.log.info("reloaded", "generation " + std::to_string(number) + " is in force after " +
                                    std::to_string(took.count()) + " ms");
    done();
}

void Reload::done() {
    running_ = false;
    if (std::exchange(again_, false)) ask();
}

}  // namespace postern::app
