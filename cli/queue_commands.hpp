// `postern queue ...` and `postern trace`: asks the daemon, or where none runs, takes the spool for itself.
#pragma once

#include <cli/place.hpp>
#include <string>
#include <vector>

namespace postern::cli {

int queue_commands(const Place& place, const std::vector<std::string>& words);

}  // namespace postern::cli
