// A subject as an administrator types it: "DC=com, DC=contoso, CN=mail1.contoso.com", in any order, read into the white
// paper's order with its size limits (appendix 1, "Subject Name").
//
// Text in, values out; how they are written into a certificate is making.hpp's.
#pragma once

#include <postern/pending.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::tls_mutual {

// In the order in which they stand in a certificate.
enum class NamePart : std::uint8_t { country, component, state, locality, organisation, unit, common };

struct NameValue {
    NamePart part = NamePart::common;
    std::string value;  // UTF-8
};

struct DistinguishedName {
    std::vector<NameValue> values;      // ordered
    std::string long_common_name;       // a CN of over 64 characters: it can be a DNS name alone
    std::vector<std::string> warnings;  // what a CA or a partner may not like

    std::string common_name() const;
    // Where the domain that the components spell is known ("contoso.com"), they are put most significant first.
    void order_components(std::string_view domain);
    // As typed: C=US, O=Contoso, CN=mail1.contoso.com.
    std::string text() const;
};

std::string_view abbreviation(NamePart);

// The failure's text names the part that is wrong and what to write instead.
Outcome<DistinguishedName> parse_distinguished_name(std::string_view text);

}  // namespace postern::tls_mutual
