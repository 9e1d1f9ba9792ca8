#include <sys/resource.h>

#include <algorithm>
#include <app/descriptors.hpp>

namespace postern::app {

// Beside the sessions: outbound connections (dispatcher.cpp), bodies on their way to disk, segments, lists, fetches.
static constexpr std::size_t others = 1000;

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what stays too low is told by descriptors_missing()
}

std::string descriptors_missing(const config::Settings& settings) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
    std::size_t most = 0;
    for (const auto& one : settings.receive_connectors) most = std::max(most, one.connections);
    if (limit.rlim_cur >= most + others) return {};
    return "at most " + std::to_string(limit.rlim_cur) + " files and sockets may be open, and " + std::to_string(most) +
           " connections with what they bring need " + std::to_string(most + others) +
           ": raise LimitNOFILE (ulimit -n), or lower connections";
}

}  // namespace postern::app
