// The seam between GnuTLS and our own certificate reader: what a certificate says comes from x509/ alone, so that the
// names that policy sees and the key that GnuTLS checked cannot come from two different readings of one DER.
#pragma once

#include <gnutls/gnutls.h>

#include <optional>
#include <postern/certificate.hpp>
#include <postern/tls.hpp>

namespace postern::tls_mutual {

// Nothing where the strict reader refuses it.
std::optional<CertificateFacts> read_facts(BytesView der);

// The SNI that the client sent, or empty (RFC 6066 3).
std::string server_name(gnutls_session_t);

// What a finished handshake established. Failure: the peer's leaf reads differently here and in GnuTLS, or its chain
// is beyond all measure.
Outcome<TlsFacts> gather_facts(gnutls_session_t);

}  // namespace postern::tls_mutual
