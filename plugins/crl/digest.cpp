#include <gnutls/crypto.h>

#include <crl/digest.hpp>
#include <x509/name.hpp>

namespace postern::crl {

std::string digest(BytesView octets) {
    std::uint8_t hash[32];
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, octets.data(), octets.size(), hash) != 0) return {};
    return x509::hex(BytesView(hash), false);
}

}  // namespace postern::crl
