// What a sender may ask about notices (RFC 3461, for internationalised addresses RFC 6533): the values of NOTIFY, RET,
// ENVID and ORCPT, checked, and kept as they came so that they can be passed on octet for octet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

struct Notify {
    bool never = false, success = false, failure = false, delay = false;
};

// The canonical text ("NEVER", "SUCCESS,FAILURE"), or nothing where the value is none of RFC 3461 4.1: NEVER stands
// alone, nothing stands twice.
std::optional<std::string> notify_value(std::string_view text);
Notify notify_of(std::string_view canonical);
// What is asked for where one recipient is named twice: all of both; empty, as where neither asked, is FAILURE then.
std::string either_notify(std::string_view one, std::string_view other);

std::optional<std::string> ret_value(std::string_view text);  // FULL or HDRS
bool is_envid(std::string_view text);                         // xtext of at most 100 octets (RFC 3461 4.4)
// `type;xtext` of at most 500 octets (RFC 3461 4.2); the type utf-8 as RFC 6533 3 has it, raw UTF-8 only where `utf8`.
bool is_orcpt(std::string_view text, bool utf8);

// RFC 3461 4: printable octets but "+" and "=", others as +XX.
std::optional<std::string> from_xtext(std::string_view text);
std::string to_xtext(std::string_view text);

// An address in a notice's field: "rfc822; bob@contoso.com" or "utf-8; ..." (RFC 3464 2.3.1, RFC 6533 3).
std::string typed_address(std::string_view address);
// The same of an ORCPT value: its type, and its address decoded.
std::string typed_original(std::string_view orcpt);

}  // namespace postern::mail
