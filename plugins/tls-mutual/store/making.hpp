// Makes keys, requests (PKCS#10, RFC 2986) and self-signed certificates with GnuTLS. It decides nothing about names:
// what a certificate shall say comes as a CertificateTerms.
#pragma once

#include <tls-mutual/handles.hpp>
#include <tls-mutual/key_file.hpp>
#include <tls-mutual/store/distinguished_name.hpp>
#include <tls-mutual/store/entry.hpp>

namespace postern::tls_mutual {

enum class KeyType : std::uint8_t { p256, p384, rsa2048, rsa3072, rsa4096, ed25519 };
std::optional<KeyType> key_type(std::string_view word);  // "ecdsa-p256", "rsa-3072", ...
std::string_view key_type_words();                       // for usage texts
struct KeyKindOfLibrary {
    gnutls_pk_algorithm_t algorithm;
    unsigned bits;
};
KeyKindOfLibrary key_kind(KeyType);

struct CertificateTerms {
    DistinguishedName subject;
    std::vector<std::string> dns_names;  // A-labels
    bool server = true, client = true;   // extKeyUsage
    std::chrono::hours lifetime{365 * 24};
};

Outcome<PrivateKeyHandle> make_key(KeyType);
// PKCS#8, PEM. A key of a token has none.
Outcome<Secret> key_to_pem(gnutls_privkey_t);

Outcome<Bytes> make_request(const CertificateTerms&, gnutls_privkey_t);
Outcome<Bytes> make_self_signed(const CertificateTerms&, gnutls_privkey_t, Time now);

// Fills in what the request's own octets say: key_sha256, subject, names. Returns what is wrong with them.
std::optional<std::string> describe_request(PendingRequest&);

// "ECDSA P-256", "RSA 2048": the key of a certificate.
std::string key_text(BytesView certificate);

}  // namespace postern::tls_mutual
