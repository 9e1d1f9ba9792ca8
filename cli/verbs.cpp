#include "verbs.hpp"

#include <app/control.hpp>
#include <app/log_sink.hpp>
#include <condition_variable>
#include <config/settings.hpp>
#include <cstdio>
#include <mutex>
#include <plugins/plugin_set.hpp>

namespace postern::cli {
namespace {

constexpr int unknown_verb = 2, no_daemon = 69, bad_config = 78;

// What the plugins of a configuration offer here: started, never applied, so that nothing listens or writes.
struct Loaded {
    std::unique_ptr<Log> log = app::make_stderr_log(false);
    Counters counters;
    std::shared_ptr<const config::Settings> settings;
    std::unique_ptr<plugins::PluginSet> plugins;

    // Empty, or what is wrong with the configuration. A plugin that cannot be loaded costs its own verbs alone.
    std::string load(const std::string& file) {
        const auto loaded = config::load(file);
        if (!loaded.settings) return file + ": has faults; see postern config check " + file + "\n";
        settings = loaded.settings;
        plugins::HostParts parts;
        parts.log = log.get();
        parts.counters = &counters;
        parts.state_folder = settings->state;
        parts.own_domains = [this] { return settings->own_domains(); };
        plugins = std::make_unique<plugins::PluginSet>(std::move(parts));
        for (const auto& problem : plugins->load(settings->plugin_folder, settings->plugins))
            print(config::to_text(problem) + "\n", stderr);
        plugins->start(settings->plugins);
        return {};
    }
};

struct Found {
    AdminVerbs* provider = nullptr;
    VerbSpec spec;
};

bool begins_with(const std::vector<std::string>& words, const std::string& verb) {
    std::string joined;
    for (std::size_t i = 0; i < words.size() && joined.size() < verb.size(); ++i) joined += (i ? " " : "") + words[i];
    return joined == verb;
}

// The longest that fits: "crl list" before "crl".
Found find(const plugins::PluginSet& plugins, const std::vector<std::string>& words) {
    Found best;
    for (const auto& named : plugins.verbs())
        for (auto& spec : named.verbs->verbs())
            if (begins_with(words, spec.words) && (!best.provider || spec.words.size() > best.spec.words.size()))
                best = {named.verbs, std::move(spec)};
    return best;
}

int finish(const VerbResult& result) {
    print(result.out, stdout);
    print(result.err, stderr);
    return result.status;
}

int run_here(AdminVerbs& provider, const std::vector<std::string>& words) {
    std::mutex mutex;
    std::condition_variable changed;
    bool ready = false;
    auto pending = provider.run(words);
    pending.on_ready([&] {
        std::lock_guard lock(mutex);
        ready = true;
        changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ready; });
    auto result = pending.take();
    if (result) return finish(*result);
    print(result.failure.text + "\n", stderr);
    return 1;
}

int unknown(const plugins::PluginSet& plugins, const std::vector<std::string>& words) {
    std::string near;
    for (const auto& named : plugins.verbs())
        for (const auto& spec : named.verbs->verbs())
            if (spec.words.substr(0, spec.words.find(' ')) == words.front()) near += "  " + spec.usage + "\n";
    print("postern: no such command: " + words.front() + (words.size() > 1 ? " " + words[1] : "") + "\n" +
              (near.empty() ? "see postern --help; a plugin's commands are there once plugins { } names it\n"
                            : "did you mean\n" + near),
          stderr);
    return unknown_verb;
}

}  // namespace

void print(const std::string& text, std::FILE* to) { std::fwrite(text.data(), 1, text.size(), to); }

int run_verb(const std::string& config_file, const std::vector<std::string>& words) {
    Loaded loaded;
    if (const auto problem = loaded.load(config_file); !problem.empty()) {
        print(problem, stderr);
        return bad_config;
    }
    const bool core_verb = words.front() == "status";
    const auto found = core_verb ? Found{} : find(*loaded.plugins, words);
    if (!core_verb && !found.provider) return unknown(*loaded.plugins, words);
    if (found.provider && found.spec.runs == VerbRuns::here) return run_here(*found.provider, words);
    const auto asked = app::ask_daemon(loaded.settings->control_socket, words);
    if (asked) return finish(*asked);
    if (found.provider && found.spec.runs == VerbRuns::either) return run_here(*found.provider, words);
    print(asked.failure.text + "; is posternd running?\n", stderr);
    return no_daemon;
}

std::string verb_help(const std::string& config_file) {
    Loaded loaded;
    if (!config::load(config_file).settings || !loaded.load(config_file).empty()) return {};
    std::string text;
    for (const auto& named : loaded.plugins->verbs())
        for (const auto& spec : named.verbs->verbs()) text += "  " + spec.usage + "\n      " + spec.help + "\n";
    return text;
}

}  // namespace postern::cli
