// One question to a directory over a connection that is open: the values of one attribute of one entry. libldap speaks
// the protocol; what it would do on its own (ldap.conf, environment, referrals, connecting) is off.
#pragma once

#include <crl/connection.hpp>
#include <crl/ldap_url.hpp>

namespace postern::crl {

// The values, one behind the other: each is DER and knows its length. `most`: octets of the whole answer.
Outcome<Bytes> search(Connection& connection, const LdapUrl& url, std::uint64_t most);

}  // namespace postern::crl
