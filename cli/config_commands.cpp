#include <algorithm>
#include <app/config_report.hpp>
#include <app/control.hpp>
#include <app/generations.hpp>
#include <app/log_sink.hpp>
#include <boost/json.hpp>
#include <cli/config_commands.hpp>
#include <cli/place.hpp>
#include <cli/terminal.hpp>

namespace postern::cli {

namespace {

namespace json = boost::json;

constexpr const char* usage =
    "usage: postern config check [FILE]\n"
    "       postern config show [FILE] [--changed] [--json]\n"
    "       postern config diff [FILE] [--json]      what a reload of it would change in the daemon\n"
    "       postern config diff FILE FILE [--json]   what the second would change in the first\n";

// A configuration with its plugins, checked as a reload would, and nothing of it applied.
struct Checked {
    explicit Checked(const std::string& file) : log(app::make_stderr_log(Severity::warning)) {
        plugins::HostParts parts;
        parts.log = log.get();
        parts.counters = &counters;
        set = std::make_unique<plugins::PluginSet>(std::move(parts));
        built = app::build(file, 0, *set);
    }
    bool good() const { return built.generation != nullptr; }
    void print_problems(std::FILE* to) const {
        for (const auto& problem : built.problems)
            if (to == stdout || !problem.warning)
                print(config::to_text(problem) + (problem.warning ? " (warning)" : "") + "\n", to);
    }
    std::vector<config::Understood> understood() const {
        return config::understood(*built.generation->settings->tree, [&](const auto& name) { return set->keys(name); });
    }
    std::unique_ptr<Log> log;
    Counters counters;
    std::unique_ptr<plugins::PluginSet> set;
    app::Built built;
};

struct Options {
    std::vector<std::string> files;
    bool json = false, changed = false;
};

int check(const std::string& file) {
    const Checked checked(file);
    checked.print_problems(stdout);
    if (!checked.good()) return exit_configuration;
    print(file + ": good\n");
    return 0;
}

int show(const std::string& file, const Options& options) {
    const Checked checked(file);
    checked.print_problems(stderr);
    if (!checked.good()) return exit_configuration;
    auto all = checked.understood();
    if (options.changed) std::erase_if(all, [](const auto& one) { return !one.changed; });
    print(options.json ? app::as_json(all) : config::info_text(all));
    return 0;
}

// ---- diff -----------------------------------------------------------------------------------------------------------

std::string place(const config::Understood& one) {
    return one.file.empty() ? "default" : one.file + ":" + std::to_string(one.line);
}

std::string with_value(const config::Understood& one) {
    return one.path() + (one.value.empty() ? "" : " " + one.value) + "  (" + place(one) + ")";
}

std::string as_text(const config::Difference& found) {
    if (!found.before) return "+ " + with_value(*found.after);
    if (!found.after) return "- " + with_value(*found.before);
    return "~ " + found.after->path() + ": " + found.before->value + " (" + place(*found.before) + ") -> " +
           found.after->value + " (" + place(*found.after) + ")";
}

bool restart(const config::Difference& found) { return (found.after ? found.after : found.before)->restart; }

json::object as_json(const config::Difference& found) {
    json::object shown{{"path", (found.after ? found.after : found.before)->path()}, {"restart", restart(found)}};
    const auto side = [&](const char* name, const config::Understood* one) {
        if (one) shown[name] = json::object{{"value", one->value}, {"place", place(*one)}};
        else shown[name] = nullptr;
    };
    side("before", found.before);
    side("after", found.after);
    return shown;
}

int print_differences(const std::vector<config::Understood>& before, const std::vector<config::Understood>& after,
                      const Options& options) {
    const auto found = config::differences(before, after);
    const auto late = std::ranges::count_if(found, restart);
    if (options.json) {
        json::array list;
        for (const auto& one : found) list.push_back(as_json(one));
        print(json::serialize(list) + "\n");
        return found.empty() ? 0 : 1;
    }
    for (const auto& one : found) print(as_text(one) + (restart(one) ? "  [restart]" : "") + "\n");
    print(found.empty() ? "no difference\n"
                        : std::to_string(found.size()) + (found.size() == 1 ? " difference" : " differences"));
    if (late) print("; what is marked [restart] is taken up by a restart, not by a reload");
    if (!found.empty()) print("\n");
    return found.empty() ? 0 : 1;
}

// What the daemon runs with; `status` is set where that cannot be known.
std::optional<std::vector<config::Understood>> in_force(const std::string& socket, int& status) {
    status = exit_no_daemon;
    const auto result = app::ask_daemon(socket, {"config", "running"});
    if (!result) return print("postern: " + result.failure.text + "\n", stderr), std::nullopt;
    auto all = app::from_json(result->out);
    if (!all || result->status != 0)
        return print("postern: the daemon on " + socket + " does not tell its configuration\n", stderr), std::nullopt;
    status = 0;
    return all;
}

int diff(const std::string& configured, const Options& options) {
    const bool with_daemon = options.files.size() < 2;
    const Checked next(options.files.empty() ? configured : options.files.back());
    next.print_problems(stderr);
    if (!next.good()) return exit_configuration;
    if (with_daemon) {
        // The daemon is found by the configuration that it was started with; FILE may name another socket.
        const auto own = find_place(configured);
        const auto& socket = own.usable ? own.settings.control_socket : next.built.generation->settings->control_socket;
        int status = 0;
        const auto before = in_force(socket, status);
        return before ? print_differences(*before, next.understood(), options) : status;
    }
    const Checked first(options.files.front());
    first.print_problems(stderr);
    if (!first.good()) return exit_configuration;
    return print_differences(first.understood(), next.understood(), options);
}

}  // namespace

int config_command(const std::optional<std::string>& configuration, const std::vector<std::string>& words) {
    const auto verb = words.size() > 1 ? words[1] : std::string();
    if (words.back() == "--help") return print(usage), 0;
    Options options;
    bool bad = verb != "check" && verb != "show" && verb != "diff";
    for (std::size_t i = 2; i < words.size(); ++i) {
        if (words[i] == "--json" && verb != "check") options.json = true;
        else if (words[i] == "--changed" && verb == "show") options.changed = true;
        else if (words[i].starts_with("-")) bad = true;
        else options.files.push_back(words[i]);
    }
    if (bad || options.files.size() > (verb == "diff" ? 2u : 1u)) return print(usage, stderr), exit_usage;
    const auto configured = configuration.value_or(default_file);
    if (verb == "diff") return diff(configured, options);
    const auto& file = options.files.empty() ? configured : options.files.front();
    return verb == "check" ? check(file) : show(file, options);
}

}  // namespace postern::cli
