// A command line taken apart (RFC 5321 4.1): verb, argument, ESMTP parameters. Pure text; what may be said when is the
// machine's business.
#pragma once

#include <postern/pending.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

struct Command {
    std::string verb;           // upper case
    std::string_view argument;  // as given, outer blanks removed
};
Command split_command(std::string_view line);

// After the path of MAIL or RCPT: " SIZE=1000 BODY=8BITMIME". Keywords upper case. The failure is for a 501.
struct Parameter {
    std::string keyword, value;
    bool has_value = false;
};
// Values beyond ASCII only where `utf8` (RFC 6533 3: ORCPT in a SMTPUTF8 transaction).
Outcome<std::vector<Parameter>> parameters(std::string_view text, bool utf8 = false);

// "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3), with the brackets.
bool is_address_literal(std::string_view text);

// A domain or an address literal as EHLO and HELO want it; the canonical form, or nothing.
std::optional<std::string> helo_name(std::string_view argument);

}  // namespace postern::mail
