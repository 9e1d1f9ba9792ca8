// `postern config check|show|diff`: whether a configuration is good, how it is understood, and what a reload of it
// would change. Exit: 0 good, or no difference; 1 a difference; 2 usage; 69 no daemon to compare with; 78 faults.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace postern::cli {

// words: "config", then check, show or diff and what belongs to it. `configuration`: the file of -c.
int config_command(const std::optional<std::string>& configuration, const std::vector<std::string>& words);

}  // namespace postern::cli
