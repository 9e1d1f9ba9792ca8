// The object graph of posternd, built top to bottom; signals, reload, drain. Reads like the architecture.
#pragma once

#include <memory>
#include <string>

namespace postern::app {

struct DaemonOptions {
    std::string config_file;
    bool verbose = false;
};

// Runs until SIGTERM; the exit status (0, 78 for a faulty configuration, 71 for what the system refused).
int run_daemon(const DaemonOptions& options);

}  // namespace postern::app
