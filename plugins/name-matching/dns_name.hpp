// A DNS name as a certificate holds it, taken apart: pure text, no list of suffixes, no rule.
//
// `usable_name` is the gate: what it does not let through speaks for nobody. RFC 5280 4.2.1.6, RFC 9525 6.3 for the
// wildcard, which is the whole left-most label or nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::name_matching {

struct UsableName {
    std::string text;       // lower-case A-labels, "*." in front of a wildcard
    bool wildcard = false;  // then parent() is what stands behind "*."

    std::string_view parent() const { return std::string_view(text).substr(text.find('.') + 1); }
};

struct NameReading {
    std::optional<UsableName> name;
    std::string_view fault;  // why there is none: "is an IP address"
};

NameReading usable_name(std::string_view raw);

// How many labels stand in `name` in front of `domain`; 0 = equal; nothing = it is not below at all.
std::optional<std::size_t> labels_below(std::string_view name, std::string_view domain);

// Octets of strangers for a sentence: controls, quotes and non-ASCII as \xNN, at most 100 octets.
std::string shown(std::string_view raw);

}  // namespace postern::name_matching
