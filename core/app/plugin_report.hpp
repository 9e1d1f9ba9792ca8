// What `postern plugin list` and `plugin order` show, of the daemon's plugins or of those that a configuration names.
#pragma once

#include <plugins/plugin_set.hpp>
#include <string>
#include <vector>

namespace postern::app {

// words: "plugin", "list" or "order", and perhaps "--json" (list).
VerbResult plugin_report(const plugins::PluginSet& plugins, const std::vector<config::PluginEntry>& wanted,
                         const std::vector<std::string>& words);

}  // namespace postern::app
