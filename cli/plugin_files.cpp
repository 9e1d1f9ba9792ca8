#include <app/control.hpp>
#include <app/log_sink.hpp>
#include <app/plugin_report.hpp>
#include <cli/plugin_files.hpp>
#include <cli/terminal.hpp>
#include <filesystem>

namespace postern::cli {

namespace {

namespace fs = std::filesystem;

// A set of its own, with nothing applied: plugins only register.
struct Scratch {
    Scratch() : log(app::make_stderr_log(Severity::warning)) {
        plugins::HostParts parts;
        parts.log = log.get();
        parts.counters = &counters;
        set = std::make_unique<plugins::PluginSet>(std::move(parts));
    }
    std::unique_ptr<Log> log;
    Counters counters;
    std::unique_ptr<plugins::PluginSet> set;
};

int print_result(const VerbResult& result) {
    print(result.out);
    print(result.err, stderr);
    return result.status;
}

std::string_view word(KeyKind kind) {
    constexpr std::string_view words[] = {"?",    "text", "number", "yes or no", "duration",
                                          "size", "path", "list",   "block",     "address"};
    const auto number = static_cast<std::size_t>(kind);
    return number < std::size(words) ? words[number] : words[0];
}

// Every fault that loading would meet, else what the file would bring.
bool check(const std::string& file) {
    Scratch scratch;
    std::error_code error;
    const auto path = fs::absolute(file, error);
    config::PluginEntry entry{path.stem().string(), {}};
    entry.settings.key = entry.name;
    if (path.extension() != ".so") return print(file + ": is not called NAME.so\n"), false;
    const auto problems = scratch.set->load(path.parent_path().string(), {entry});
    for (const auto& one : problems) print(one.problem + "\n");
    if (!problems.empty()) return false;
    scratch.set->start({entry});
    for (const auto& one : scratch.set->loaded()) {
        print(file + ": good, " + one.name + " " + one.version + ", SDK " + one.sdk + "\n");
        for (const auto& role : one.roles) print("  role " + role + "\n");
        if (one.roles.empty()) print("  no role\n");
    }
    for (const auto& key : scratch.set->keys(entry.name))
        print("  key " + key.name + ", " + std::string(word(key.kind)) +
              (key.otherwise.empty() ? "" : ", else " + key.otherwise) + ": " + key.explanation + "\n");
    return true;
}

}  // namespace

int plugin_files(const Place& place, const std::vector<std::string>& words) {
    if (words.size() > 2 && words[1] == "check") {
        bool good = true;
        for (std::size_t i = 2; i < words.size(); ++i) good &= check(words[i]);
        return good ? 0 : 1;
    }
    if (words.size() > 1 && !place.file.empty()) {
        const auto result = app::ask_daemon(place.settings.control_socket, words);
        if (result) return print_result(*result);
        if (result.failure.token != "no-daemon")
            return print("postern: " + result.failure.text + "\n", stderr), exit_no_daemon;
    }
    Scratch scratch;
    const auto& wanted = place.settings.plugins;
    for (const auto& one : scratch.set->load(place.settings.plugin_folder, wanted))
        print(config::to_text(one) + "\n", stderr);
    scratch.set->start(wanted);
    return print_result(app::plugin_report(*scratch.set, wanted, words));
}

}  // namespace postern::cli
