// What `postern status` shows: generations, plugins, queue, counters of the paper, standing alarms (exit 1 with one).
#pragma once

#include <app/lifetimes.hpp>

namespace postern::app {

VerbResult status_text(const net::Generation& generation, const net::Services& services,
                       const std::vector<Lifetimes::Living>& living, const std::vector<std::string>& words);

}  // namespace postern::app
