// `postern policy test`: finds the tests, has them run (script/policy_test.hpp) and prints what came of it. Exit 0: all
// passed; 1: one did not, or too few branches were taken; 2: usage, or a file that cannot be read.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace postern::cli {

// words: "policy", "test", then files, folders and options. `configuration`: the file of -c.
int policy_test(const std::optional<std::string>& configuration, const std::vector<std::string>& words);

}  // namespace postern::cli
