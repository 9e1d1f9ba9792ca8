// A key of a PKCS#11 token as TLS uses it: each signature is waited for a few seconds and no longer, so that a token
// that hangs costs a handshake and not a thread.
#pragma once

#include <tls-mutual/handles.hpp>
#include <tls-mutual/store/token.hpp>

namespace postern::tls_mutual {

// Opens the key and has it sign, which proves it to be the certificate's. The failure names the key, what happened and
// what to do.
Outcome<PrivateKeyHandle> open_signing_key(const std::string& uri, BytesView certificate);

}  // namespace postern::tls_mutual
