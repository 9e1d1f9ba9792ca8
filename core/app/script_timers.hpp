// postern.every: the timers of the scripts that a worker has in force, on that worker.
#pragma once

#include <net/services.hpp>

namespace postern::app {

// On the worker's thread, whenever it took a generation. Timers of an older one end by themselves and keep none alive.
void start_script_timers(const net::Services& services, net::Worker& worker);

}  // namespace postern::app
