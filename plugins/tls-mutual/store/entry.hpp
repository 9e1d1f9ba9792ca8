// What the store keeps, and how a file of it reads: one certificate with its chain and key, or one pending request with
// its key. A file begins with lines `name: value`, then PEM blocks, so that openssl reads it as it stands.
//
// Values only: no folder, no lock (store.hpp).
#pragma once

#include <postern/certificate.hpp>
#include <postern/pending.hpp>
#include <string>
#include <vector>

namespace postern::tls_mutual {

enum class Origin : std::uint8_t { automatic, self_signed, request, imported };

// What is known of a certificate beside what it says itself.
struct Attributes {
    std::string friendly_name;
    bool exportable = false;
    bool smtp = false;  // enabled: may be chosen by a connector
    Origin origin = Origin::imported;
    std::string token_key;  // PKCS#11 URI of a key that lies in a token; empty: the key is in the file
};

struct StoredCertificate {
    Attributes about;
    CertificateFacts leaf;
    std::vector<Bytes> chain;  // DER, leaf first
    std::string file;

    bool self_signed() const { return leaf.self_issued; }
};

struct PendingRequest {
    Attributes about;
    Bytes der;               // PKCS#10
    std::string key_sha256;  // of its SubjectPublicKeyInfo: by it the answer finds it
    std::string subject;     // as a certificate would show it
    std::vector<std::string> names;
    std::string file;
};

// `pem`: octets of a store's file. They are read for what is public; the key stays where it is.
Outcome<StoredCertificate> read_certificate_file(std::string_view pem, const std::string& file);
Outcome<PendingRequest> read_request_file(std::string_view pem, const std::string& file);

// `key_pem`: PKCS#8, or empty where the key lies in a token.
std::string certificate_file(const Attributes&, const std::vector<Bytes>& chain, std::string_view key_pem);
std::string request_file(const Attributes&, BytesView request, std::string_view key_pem);

// The PRIVATE KEY block of such a file, or empty. A view into `pem`.
std::string_view key_block(std::string_view pem);
std::string pem_block(BytesView der, std::string_view label);
std::string_view word(Origin);

}  // namespace postern::tls_mutual
