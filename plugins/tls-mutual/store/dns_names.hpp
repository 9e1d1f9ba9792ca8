// DNS names for a certificate: checked, as A-labels, with what a human should know about them. The only file of the
// plugin that knows libidn2 (IDNA2008).
#pragma once

#include <postern/pending.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::tls_mutual {

struct DnsName {
    std::string name;                   // lower-case A-labels; may begin with "*."
    std::string unicode;                // as a human reads it, where that differs; else empty
    std::vector<std::string> warnings;  // look-alikes, names that no partner can resolve
};

// The failure's text begins with the name and ends with what to write instead.
Outcome<DnsName> check_dns_name(std::string_view typed);

// A CN that a human takes for a DNS name although it is none: why, as a warning; empty where nobody would.
std::string seems_a_name(std::string_view common_name);

// The certificate's name covers the host: exactly, or by a wildcard of one label.
enum class Covers : std::uint8_t { no, by_wildcard, exactly };
Covers covers(std::string_view certificate_name, std::string_view host);

}  // namespace postern::tls_mutual
