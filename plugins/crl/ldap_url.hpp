// LDAP URLs as certificates name them (RFC 4516, RFC 5280 4.2.1.13): one entry, one attribute that holds lists.
//
// Pure. Strict on purpose: a stranger's URL may ask for a list and for nothing else. Any other attribute, scope below
// the entry, filter beyond an object class, or critical extension is refused.
#pragma once

#include <postern/fetch_rules.hpp>
#include <postern/pending.hpp>

namespace postern::crl {

struct LdapServer {
    bool tls = false;
    std::string host;  // canonical
    std::uint16_t port = 0;

    std::uint16_t own_port() const { return tls ? 636 : 389; }
    // As the settings name one: HOST, HOST:PORT or ldaps://HOST[:PORT].
    static std::optional<LdapServer> parse(std::string_view text);
};

struct LdapUrl {
    std::string text;
    LdapServer server;      // host empty: the servers of the settings
    std::string dn;         // decoded
    std::string attribute;  // "certificateRevocationList;binary", as written
    std::string filter;     // "(objectClass=*)"

    // The failure's token is crl-unreachable, as that of any fetch.
    static Outcome<LdapUrl> parse(std::string_view text);
};

// Whether an answer's attribute is the one that was asked for, options aside.
bool same_attribute(std::string_view one, std::string_view other);

}  // namespace postern::crl
