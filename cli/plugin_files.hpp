// `postern plugin ...`: what is loaded, in which order it is asked, and whether a file would be taken. Without a daemon
// list and order show what the configuration would load.
#pragma once

#include <cli/place.hpp>
#include <string>
#include <vector>

namespace postern::cli {

int plugin_files(const Place& place, const std::vector<std::string>& words);

}  // namespace postern::cli
