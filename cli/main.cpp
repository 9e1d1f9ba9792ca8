// `postern`: what an administrator types. Commands of its own are here; all others come with the plugins
// (plugin_commands.hpp). Needs neither configuration (place.hpp) nor daemon where the command needs none.
#include <cli/config_commands.hpp>
#include <cli/plugin_commands.hpp>
#include <cli/plugin_files.hpp>
#include <cli/policy_test.hpp>
#include <cli/queue_commands.hpp>
#include <cli/terminal.hpp>

using namespace postern;
using namespace postern::cli;

namespace {

constexpr const char* usage =
    "usage: postern [-c FILE] COMMAND\n"
    "  config check [FILE] | config show [FILE] [--changed] [--json] | config diff [FILE | FILE FILE] [--json]\n"
    "      every fault of a configuration (exit 78 with one), how it is understood, what a reload of it would change\n"
    "  status [--json]\n"
    "      generation, counters, alarms; exit 1 with an alarm\n"
    "  plugin list [--json] | plugin order | plugin check FILE...\n"
    "      what is loaded, who is asked first, and whether a file would be taken\n"
    "  policy test [FILE|FOLDER...] [--listed DOMAIN]... [--coverage] [--min-coverage PERCENT] [--json]\n"
    "      runs the tests beside policy scripts; needs neither configuration nor daemon\n"
    "  queue list|show|destinations|retry|hold|release|remove|bounce ... | trace ID|ADDRESS\n"
    "      what waits and what to do with it, with or without a daemon: postern queue --help\n"
    "  queue convert log|files\n"
    "      moves what waits to the other spool_format, while no daemon runs\n"
    "  help\n"
    "      this, with the commands that the plugins bring\n";

int help(const Place& place) {
    print(usage);
    if (place.usable) print(PluginCommands(place).help());
    else print("(" + place.file + " has faults, so its plugins are not loaded; see postern config check)\n");
    return 0;
}

int run(const std::optional<std::string>& file, const std::vector<std::string>& words) {
    const auto& first = words.front();
    if (first == "config") return config_command(file, words);
    if (first == "policy") return policy_test(file, words);
    const auto place = find_place(file);
    if (first == "--help" || first == "-h" || first == "help") return help(place);
    if (!place.usable) {
        for (const auto& problem : place.problems) print(config::to_text(problem) + "\n", stderr);
        print("postern: " + place.file + " has faults; see postern config check " + place.file + "\n", stderr);
        return exit_configuration;
    }
    if (first == "plugin") return plugin_files(place, words);
    if (first == "queue" || first == "trace") return queue_commands(place, words);
    if (first == "status") return ask_daemon(place, words);
    return PluginCommands(place).run(words);
}

}  // namespace

int main(int argc, char** argv) {
    std::optional<std::string> file;
    std::vector<std::string> words(argv + 1, argv + argc);
    while (!words.empty() && (words[0] == "-c" || words[0] == "--config")) {
        if (words.size() < 2) return print("postern: -c wants a file\n", stderr), exit_usage;
        file = words[1];
        words.erase(words.begin(), words.begin() + 2);
    }
    if (words.empty()) {
        print(usage, stderr);
        print("and what the plugins bring: see postern help\n", stderr);
        return exit_usage;
    }
    return run(file, words);
}
