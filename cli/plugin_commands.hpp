// The commands that plugins bring: finds the one that is meant and runs it in this process, or asks the daemon, as the
// command itself says. Plugins are started and never applied: nothing listens, fetches or writes by itself here.
#pragma once

#include <app/verbs.hpp>
#include <base/alarms.hpp>
#include <cli/place.hpp>
#include <memory>

namespace postern::cli {

class PluginCommands {
public:
    explicit PluginCommands(const Place& place);

    // One line a command, for --help.
    std::string help() const;
    // Exit status; prints what the command says.
    int run(const std::vector<std::string>& words);

private:
    int run_here(const app::KnownVerb& verb, const std::vector<std::string>& words);
    int ask(const std::vector<std::string>& words, const app::KnownVerb* otherwise_here);
    int unknown(const std::vector<std::string>& words) const;

    const Place& place_;
    std::unique_ptr<Log> log_;
    Counters counters_;
    std::unique_ptr<Alarms> alarms_;
    std::unique_ptr<plugins::PluginSet> plugins_;
    std::vector<config::ConfigProblem> problems_;
    std::vector<app::KnownVerb> known_;
};

// A command that the daemon answers by itself, without a plugin.
int ask_daemon(const Place& place, const std::vector<std::string>& words);

}  // namespace postern::cli
