// What tls-mutual logs itself: nothing. Why a handshake or a file failed goes back to the core as a value, which logs
// it as `handshake-failed` or `own-certificate`.
#pragma once

#include <postern/host.hpp>
#include <span>
#include <string_view>

namespace postern::tls_mutual {

struct Message {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};

inline std::span<const Message> messages() { return {}; }

}  // namespace postern::tls_mutual
