#include <app/admin.hpp>
#include <app/config_report.hpp>
#include <app/plugin_report.hpp>
#include <app/queue_command.hpp>
#include <app/status.hpp>
#include <app/verbs.hpp>
#include <net/await.hpp>

namespace postern::app {

// On threads of its own: it may read a million envelopes, and what it bounces waits for others to make the notices.
static net::awaitable<VerbResult> ask_queue(const AdminParts& parts, std::vector<std::string> words) {
    auto work = [&] {
        return queue_command(parts.services.queue, parts.services.spool, parts.started->log_file, words);
    };
    auto result = co_await net::off_loop(parts.queue_pool, std::move(work));
    co_return result;
}

// What is in force: of the newest generation, and what only a restart takes up as it was at the start. Ten thousand
// partners are some megabytes of text.
static net::awaitable<VerbResult> running(const AdminParts& parts) {
    const auto generation = parts.current();
    auto work = [&] {
        const auto keys = [&](const std::string& name) { return parts.services.plugins.keys(name); };
        auto all = config::understood(*generation->settings->tree, keys);
        std::erase_if(all, [](const auto& one) { return one.restart; });
        for (auto& one : config::understood(*parts.started->tree, keys))
            if (one.restart) all.push_back(std::move(one));
        return as_json(all);
    };
    auto text = co_await net::off_loop(parts.services.pool, std::move(work));
    VerbResult result{0, std::move(text), {}};
    co_return result;
}

net::awaitable<VerbResult> answer(const AdminParts& parts, std::vector<std::string> words) {
    if (words.front() == "status")
        co_return status_text(*parts.current(), parts.services, parts.lifetimes.living(), words);
    if (words.front() == "plugin")
        co_return plugin_report(parts.services.plugins, parts.current()->settings->plugins, words);
    if (words.size() == 2 && words[0] == "config" && words[1] == "running") co_return co_await running(parts);
    if (words.front() == "queue" || words.front() == "trace") co_return co_await ask_queue(parts, std::move(words));
    const auto known = known_verbs(parts.services.plugins);
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

}  // namespace postern::app
