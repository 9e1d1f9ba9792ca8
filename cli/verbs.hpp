// The verbs that plugins bring: found by their words, run in this process or by the daemon, as each says.
#pragma once

#include <postern/host.hpp>
#include <string>
#include <vector>

namespace postern::cli {

// Prints and returns the exit status. 2 unknown verb, 69 no daemon, 78 broken configuration.
int run_verb(const std::string& config_file, const std::vector<std::string>& words);

// One line a verb of the plugins that the configuration names; empty where there is none to read.
std::string verb_help(const std::string& config_file);

void print(const std::string& text, std::FILE* to);

}  // namespace postern::cli
