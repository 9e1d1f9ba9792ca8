// From the store's certificates to what a handshake needs. Reads keys, from files or by a token's URI; keeps nothing.
#pragma once

#include <tls-mutual/identity.hpp>
#include <tls-mutual/store/store.hpp>

namespace postern::tls_mutual {

// One, or one with its companion of another kind of key behind it.
Outcome<Ref<Identity>> identity_of(const CertificateStore&, const StoredCertificate& first,
                                   const StoredCertificate* companion);

}  // namespace postern::tls_mutual
