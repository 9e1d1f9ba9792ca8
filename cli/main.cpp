// `postern`: what an administrator types. Reads the configuration where a verb needs it, asks the daemon where it must;
// what plugins bring is in verbs.hpp.
#include <app/generations.hpp>
#include <app/log_sink.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "verbs.hpp"

using namespace postern;
using cli::print;

namespace {

constexpr const char* usage =
    "usage: postern [-c FILE] COMMAND\n"
    "  config check [FILE]\n"
    "      every fault of a configuration; exit 78 with one\n"
    "  status [--json]\n"
    "      generation, counters, alarms; exit 1 with an alarm\n";

int config_check(const std::string& file) {
    auto log = app::make_stderr_log(false);
    Counters counters;
    plugins::HostParts parts;
    parts.log = log.get();
    parts.counters = &counters;
    plugins::PluginSet plugins(std::move(parts));
    const auto built = app::build(file, 0, plugins);
    for (const auto& problem : built.problems)
        print(config::to_text(problem) + (problem.warning ? " (warning)" : "") + "\n", stdout);
    if (!built.generation) return 78;
    print(file + ": good\n", stdout);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::string file = "/etc/postern/postern.conf";
    std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() >= 2 && words[0] == "-c") {
        file = words[1];
        words.erase(words.begin(), words.begin() + 2);
    }
    if (words.empty() || words[0] == "--help") {
        print(usage + cli::verb_help(file), words.empty() ? stderr : stdout);
        return words.empty() ? 2 : 0;
    }
    if (words.size() >= 2 && words[0] == "config" && words[1] == "check")
        return config_check(words.size() > 2 ? words[2] : file);
    return cli::run_verb(file, words);
}
