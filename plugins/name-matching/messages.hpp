// What name-matching logs: nothing. Its sentences reach the log through the core's `judged` and `mail-refused`.
#pragma once

#include <postern/host.hpp>
#include <span>
#include <string_view>

namespace postern::name_matching {

struct Message {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};

inline std::span<const Message> messages() { return {}; }

}  // namespace postern::name_matching
