// An SMTP reply: what we send and what we understand (RFC 5321 4.2, RFC 2034, RFC 3463).
#pragma once

#include <cstdint>
#include <optional>
#include <postern/types.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

struct Reply {
    std::uint16_t code = 0;
    std::string enhanced;            // "2.1.0" or empty
    std::vector<std::string> lines;  // at least one, without CRLF

    Reply() = default;
    Reply(std::uint16_t c, std::string e, std::string text) : code(c), enhanced(std::move(e)), lines{std::move(text)} {}
};

// CRLF-ended text; controls escaped, lines cut so that none passes 512 octets; enhanced code only where
// `with_enhanced`.
std::string to_wire(const Reply& reply, bool with_enhanced);

// Whether a verdict other than proceed can be said on the wire.
bool usable(const Verdict& verdict);
// A decider's reply, or 451 4.3.0 where it is no reply: code outside 4xx/5xx, classes at odds, CR or LF, no text.
Reply checked(const Verdict& verdict);

}  // namespace postern::mail
