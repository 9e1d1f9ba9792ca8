// Which configuration and which plugins a command works with: the file of -c, else the default file, else none: then
// every plugin in the folder beside the program, or in the one that it was built for, with its defaults.
#pragma once

#include <config/settings.hpp>
#include <optional>
#include <string>

namespace postern::cli {

inline constexpr const char* default_file = "/etc/postern/postern.conf";

struct Place {
    std::string file;  // empty: no configuration
    config::Settings settings;
    std::vector<config::ConfigProblem> problems;
    bool usable = true;  // false: the file has faults and `settings` is empty
};

Place find_place(const std::optional<std::string>& named_file);

}  // namespace postern::cli
