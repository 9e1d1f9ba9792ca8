// Everything that this plugin logs: stable id, and what an operator should make of it.
#pragma once

#include <array>
#include <postern/host.hpp>

namespace postern::counters::messages {

inline constexpr std::string_view counters_listening = "counters-listening";
inline constexpr std::string_view counters_not_listening = "counters-not-listening";

struct Entry {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};
inline constexpr std::array catalogue{
    Entry{counters_listening, Severity::info,
          "The counters can be read: the text is the real address, also where port 0 was asked for."},
    Entry{counters_not_listening, Severity::error,
          "The address could not be listened on, so nobody can read the counters; mail flows. Free the address or set "
          "another `listen`; tried again every 15 s. Also an alarm, until it listens."},
};

}  // namespace postern::counters::messages
