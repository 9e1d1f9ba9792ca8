// Addresses and the one canonical form of a domain (RFC 5321 4.1.2, RFC 5890, RFC 5891).
#pragma once

#include <postern/pending.hpp>
#include <string>
#include <string_view>

namespace postern::mail {

// Lower-case A-labels, at most 253 octets. The one function for envelope, header, certificates and configuration:
// U-labels by IDNA2008; a trailing dot, an empty label, an over-long name are failures (501 in a session).
Outcome<std::string> canonical_domain(std::string_view domain);

// A parsed reverse or forward path, source route removed.
struct Path {
    std::string local_part;  // as given, quotes kept
    std::string domain;      // canonical; empty for <> and <postmaster>; "[192.0.2.1]" kept for an address literal
    bool empty = true;       // <>
    bool literal = false;    // domain is an address literal
    bool utf8 = false;       // as given it held non-ASCII octets: for SMTPUTF8 alone (RFC 6531)

    std::string address() const { return domain.empty() ? local_part : local_part + "@" + domain; }
};

// `text` starts at "<". The failure's token is the enhanced code ("5.1.7", "5.1.3", "5.6.7"), its text the reply's.
// Consumes the path from `text`; what follows it (parameters) is left. Without `utf8` non-ASCII is "5.6.7".
Outcome<Path> parse_reverse_path(std::string_view& text, bool utf8 = false);
Outcome<Path> parse_forward_path(std::string_view& text, bool utf8 = false);

}  // namespace postern::mail
