// The certificates of a "certs-only" PKCS#7 message, as CAs serve them at the URLs of authorityInfoAccess (RFC 5280
// 4.2.2.1, RFC 5652 5.1). Nothing is signed in such a message and nothing of it is believed: each certificate must earn
// its place on a path.
#pragma once

#include <postern/pending.hpp>

namespace postern::x509 {

inline constexpr std::size_t most_certificates_in_message = 32;

// DER of each. `octets`: DER, or that in PEM; a lone certificate, DER or PEM, is a message of one.
Outcome<std::vector<Bytes>> read_issuer_certificates(BytesView octets);

}  // namespace postern::x509
