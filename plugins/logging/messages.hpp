// Everything that this plugin logs: stable id, and what an operator should make of it.
#pragma once

#include <array>
#include <postern/host.hpp>

namespace postern::logging::messages {

inline constexpr std::string_view protocol_log_failed = "protocol-log-failed";

struct Entry {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};
inline constexpr std::array catalogue{
    Entry{protocol_log_failed, Severity::error,
          "The protocol log cannot be written; mail flows on, its records are lost and counted in "
          "postern_log_write_failures_total. An alarm that ends by itself with the next line that can be written."},
};

}  // namespace postern::logging::messages
