// `postern queue ...` and `postern trace`: the words of the command, what is done, and the text of the answer. The same
// for the daemon and for the command line that has the spool to itself.
#pragma once

#include <postern/host.hpp>
#include <queue/queue.hpp>
#include <string>
#include <vector>

namespace postern::app {

extern const char* const queue_usage;

// Blocks: never on a worker. `log_file`: where trace looks for what became of a message, or empty.
VerbResult queue_command(queue::Queue& queue, queue::Spool& spool, const std::string& log_file,
                         const std::vector<std::string>& words);

}  // namespace postern::app
