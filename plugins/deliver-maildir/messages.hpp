// Everything that this plugin logs: stable id, and what an operator should make of it.
#pragma once

#include <array>
#include <postern/host.hpp>

namespace postern::maildir::messages {

inline constexpr std::string_view maildir_created = "maildir-created";
inline constexpr std::string_view maildir_unusable = "maildir-unusable";

struct Entry {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};
inline constexpr std::array catalogue{
    Entry{maildir_created, Severity::info, "The folder of the settings did not exist and was made, mode 0700."},
    Entry{maildir_unusable, Severity::error,
          "A message could not be put below the folder: the text names path, fault and remedy. Mail waits in the queue "
          "and is tried again. An alarm, until a delivery succeeds."},
};

}  // namespace postern::maildir::messages
