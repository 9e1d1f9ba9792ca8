// What `postern status` shows: generation, plugins, queue, counters of the paper, standing alarms (exit 1 with one).
#pragma once

#include <net/services.hpp>

namespace postern::app {

VerbResult status_text(const net::Generation& generation, const Alarms& alarms, const Counters& counters,
                       const plugins::PluginSet& plugins, const std::vector<std::string>& words);

}  // namespace postern::app
