#include <algorithm>
#include <app/control.hpp>
#include <app/generations.hpp>
#include <app/log_sink.hpp>
#include <app/privileges.hpp>
#include <cli/plugin_commands.hpp>
#include <cli/terminal.hpp>
#include <condition_variable>
#include <filesystem>
#include <mutex>

namespace postern::cli {

namespace {

constexpr std::chrono::minutes longest_command{10};

int print_result(const VerbResult& result) {
    print(result.out);
    std::fflush(stdout);
    print(result.err, stderr);
    return result.status;
}

// The answer may come from any thread: main sleeps until it is there.
Outcome<VerbResult> wait_for(Pending<VerbResult> pending) {
    struct Bell {
        std::mutex mutex;
        std::condition_variable rung;
        bool there = false;
    };
    const auto bell = std::make_shared<Bell>();  // a late answer finds it still
    pending.on_ready([bell] {
        std::lock_guard lock(bell->mutex);
        bell->there = true;
        bell->rung.notify_all();
    });
    std::unique_lock lock(bell->mutex);
    if (!bell->rung.wait_for(lock, longest_command, [&] { return bell->there; }))
        return Failure{"control-failed", "the command did not end within 10 minutes"};
    lock.unlock();
    return pending.take();
}

std::string usage_line(const VerbSpec& spec) { return "  " + spec.usage + "\n      " + spec.help + "\n"; }

// The daemon has another working folder: what a command's usage calls FILE or CERT goes to it with its whole path.
std::vector<std::string> with_whole_paths(const VerbSpec& spec, std::vector<std::string> words) {
    if (spec.usage.find("FILE") == std::string::npos && spec.usage.find("CERT") == std::string::npos) return words;
    const auto own = 1 + static_cast<std::size_t>(std::ranges::count(spec.words, ' '));
    for (std::size_t i = own; i < words.size(); ++i) {
        std::error_code error;
        if (words[i].starts_with('-') || !std::filesystem::exists(words[i], error)) continue;
        if (auto whole = std::filesystem::absolute(words[i], error); !error) words[i] = whole.string();
    }
    return words;
}

}  // namespace

PluginCommands::PluginCommands(const Place& place) : place_(place), log_(app::make_stderr_log(Severity::warning)) {
    alarms_ = std::make_unique<Alarms>(*log_, counters_);
    if (auto made = app::make_folders_for(place.settings.user, {place.settings.state}); !made)
        log_->warning("state-folder", made.error().text);
    plugins::HostParts parts;
    parts.log = log_.get();
    parts.counters = &counters_;
    parts.alarms = alarms_.get();
    parts.state_folder = place.settings.state;
    parts.trust_scopes = [&place] {
        return place.file.empty() ? std::vector<TrustScopeFiles>() : app::scopes_of(place.settings);
    };
    parts.own_domains = [&place] {
        return place.file.empty() ? std::vector<std::string>() : place.settings.own_domains();
    };
    parts.configuration = [&place] { return place.file.empty() ? ConfigurationView() : app::view_of(place.settings); };
    parts.ask_daemon = [&place](const std::vector<std::string>& words) -> Outcome<VerbResult> {
        if (place.file.empty()) return Failure{"no-daemon", "no configuration says where the daemon answers"};
        return app::ask_daemon(place.settings.control_socket, words);
    };
    plugins_ = std::make_unique<plugins::PluginSet>(std::move(parts));
    const auto& wanted = place.settings.plugins;
    problems_ = plugins_->load(place.settings.plugin_folder, wanted);
    // A plugin with faulty settings is left out; the others may be what mends them.
    std::vector<config::PluginEntry> sound;
    for (const auto& entry : wanted) {
        const auto found = plugins_->check({entry});
        const auto fatal = [](const auto& problem) { return !problem.warning; };
        if (place.file.empty() || std::none_of(found.begin(), found.end(), fatal)) sound.push_back(entry);
        problems_.insert(problems_.end(), found.begin(), found.end());
    }
    plugins_->start(sound);
    known_ = app::known_verbs(*plugins_);
}

std::string PluginCommands::help() const {
    std::string text;
    for (const auto& one : known_) text += usage_line(one.spec);
    if (!problems_.empty() && !place_.file.empty())
        text += "(not all plugins could be loaded; see postern config check " + place_.file + ")\n";
    return text;
}

int PluginCommands::run(const std::vector<std::string>& words) {
    const auto* verb = app::find_verb(known_, words);
    if (!verb) return unknown(words);
    if (words.back() == "--help") {
        print("usage: postern [-c FILE] " + verb->spec.usage + "\n  " + verb->spec.help + "\n");
        return 0;
    }
    if (verb->spec.runs == VerbRuns::here) return run_here(*verb, words);
    return ask(with_whole_paths(verb->spec, words), verb->spec.runs == VerbRuns::either ? verb : nullptr);
}

int PluginCommands::run_here(const app::KnownVerb& verb, const std::vector<std::string>& words) {
    const auto result = wait_for(verb.from.run_here(words));
    if (result) return print_result(*result);
    print("postern: " + result.failure.text + "\n", stderr);
    return exit_temporary;
}

int PluginCommands::ask(const std::vector<std::string>& words, const app::KnownVerb* otherwise_here) {
    const auto result = app::ask_daemon(place_.settings.control_socket, words);
    if (result) return print_result(*result);
    if (otherwise_here && result.failure.token == "no-daemon") return run_here(*otherwise_here, words);
    print("postern: " + result.failure.text + "\n", stderr);
    return exit_no_daemon;
}

int PluginCommands::unknown(const std::vector<std::string>& words) const {
    std::string group;
    for (const auto& one : known_)
        if (one.spec.words.starts_with(words.front() + " ")) group += usage_line(one.spec);
    const bool asked = words.size() == 2 && words[1] == "--help" && !group.empty();
    if (asked) {
        print("usage: postern [-c FILE]\n" + group);
        return 0;
    }
    std::string line;
    for (const auto& word : words) line += (line.empty() ? "" : " ") + word;
    print("postern: no such command: " + line +
              app::verb_suggestion(known_, {"config check", "status", "help"}, words) + "\n",
          stderr);
    if (!group.empty()) print(group, stderr);
    if (place_.file.empty()) return exit_usage;
    for (const auto& problem : problems_) print(config::to_text(problem) + "\n", stderr);
    return problems_.empty() ? exit_usage : exit_configuration;
}

int ask_daemon(const Place& place, const std::vector<std::string>& words) {
    const auto result = app::ask_daemon(place.settings.control_socket, words);
    if (result) return print_result(*result);
    print("postern: " + result.failure.text + "\n", stderr);
    return exit_no_daemon;
}

}  // namespace postern::cli
