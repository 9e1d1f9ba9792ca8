// Signatures and keys held against a minimum profile. GnuTLS does the arithmetic over bytes that we found ourselves.
//
// modern: no MD5 or SHA-1, RSA of 2048 to 8192 bits, curves from 256 bits. legacy (for `cert verify --profile legacy`
// alone): SHA-1 too, RSA from 1024 bits, curves from 192. DSA is never good.
#pragma once

#include <postern/trust.hpp>

namespace postern::x509 {

enum class SignatureStanding : std::uint8_t {
    good = 1,
    bad = 2,   // does not verify, or key and algorithm do not belong together
    weak = 3,  // below the profile; not tried
};

// `spki` and `algorithm` are whole DER elements (SubjectPublicKeyInfo, AlgorithmIdentifier).
SignatureStanding verify(BytesView spki, BytesView algorithm, BytesView data, BytesView signature, Profile);

// Empty where the key meets the profile, else why not: "RSA with 1024 bits".
std::string key_weakness(BytesView spki, Profile);

}  // namespace postern::x509
