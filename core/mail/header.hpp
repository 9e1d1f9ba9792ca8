// The header section as text (RFC 5322): fields kept octet for octet, so that what we do not touch stays what it was.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

struct HeaderField {
    std::string_view name;  // as written, without colon
    std::string_view body;  // after the colon, folding kept, without the last CRLF
    std::string_view raw;   // whole, with CRLF
};

// Views into `header`, which must outlive them. A line that is no field is kept as one with an empty name.
std::vector<HeaderField> fields(std::string_view header);
std::string unfolded(std::string_view body);                  // one line, trimmed (RFC 5322 2.2.3)
bool named(const HeaderField& field, std::string_view name);  // case folded
std::string without(std::string_view header, const std::function<bool(const HeaderField&)>& unwanted);

// The domains of every address in the From: fields, canonical; whole = exactly one field with exactly one address.
struct FromDomains {
    std::vector<std::string> domains;
    bool single = false;
    bool unparsable = false;
};
FromDomains from_domains(std::string_view header);

// The authserv-id of an Authentication-Results body (RFC 8601 2.2): comments skipped, canonical; empty = unparsable.
std::string authserv_id(std::string_view body);

}  // namespace postern::mail
