// One certificate, read whole and strictly (RFC 5280 4.1, 4.2): everything that judging needs, nothing judged.
//
// A Certificate is a value; the views in it point into octets that all its copies share. Extensions that Postern knows
// must be well-formed, or the certificate is refused as a whole; unknown critical ones are noted for the judge.
#pragma once

#include <memory>
#include <postern/certificate.hpp>
#include <postern/pending.hpp>
#include <x509/general_name.hpp>

namespace postern::x509 {

// Bits of keyUsage, numbered as in RFC 5280 4.2.1.3.
enum class KeyUse : std::uint8_t { digital_signature = 0, key_cert_sign = 5, crl_sign = 6 };

struct BasicConstraints {
    bool ca = false;
    std::optional<std::uint64_t> path_length;
};
struct NameConstraints {
    GeneralNames permitted, excluded;
};
struct AuthorityKey {
    Bytes id;  // empty: not stated
    GeneralNames issuer;
    std::string serial;
};

// Certificate policies (4.2.1.4, .5, .11, .14) as they stand; x509/policies.hpp processes them. OIDs are DER octets.
struct PolicyMapping {
    std::string from, to;
};
struct PolicyTerms {
    std::optional<std::vector<std::string>> policies;  // absent: no certificatePolicies extension
    std::vector<PolicyMapping> mappings;
    std::optional<std::uint64_t> require_explicit, inhibit_mapping, inhibit_any;
};

class Certificate {
public:
    static constexpr std::size_t size_limit = 256 * 1024;
    // The failure's text says what is malformed.
    static Outcome<Certificate> read(BytesView der);

    BytesView der() const { return *octets_; }

    BytesView tbs;                  // what is signed
    BytesView signature_algorithm;  // AlgorithmIdentifier, whole
    BytesView signature;
    BytesView spki;      // SubjectPublicKeyInfo, whole
    BytesView key_bits;  // its BIT STRING's content: what key hashes are made of
    BytesView issuer_der, subject_der;
    unsigned version = 1;
    std::string serial;  // the INTEGER's octets
    Name issuer, subject;
    Time not_before{}, not_after{};

    std::optional<BasicConstraints> basic_constraints;
    std::optional<std::uint16_t> key_usage;                   // bit n = KeyUse n
    std::optional<std::vector<std::string>> extended_usages;  // OID octets
    std::optional<GeneralNames> alternative_names;
    std::optional<NameConstraints> name_constraints;
    Bytes subject_key_id;
    std::optional<AuthorityKey> authority_key;
    std::vector<DistributionPoint> crl_points, freshest_crl_points;
    std::vector<std::string> ca_issuer_urls, ocsp_urls;
    PolicyTerms policy;
    bool ocsp_no_check = false;                 // id-pkix-ocsp-nocheck, RFC 6960 4.2.2.2.1
    std::vector<std::string> unknown_critical;  // dotted

    bool self_issued() const { return subject == issuer; }
    // keyUsage absent allows everything.
    bool may(KeyUse use) const { return !key_usage || (*key_usage >> static_cast<unsigned>(use) & 1) != 0; }
    // EKU absent allows everything, and so does anyExtendedKeyUsage.
    bool serves(std::string_view purpose_oid) const;

private:
    explicit Certificate(BytesView der) : octets_(std::make_shared<const Bytes>(der.begin(), der.end())) {}
    std::shared_ptr<const Bytes> octets_;
};

CertificateFacts facts(const Certificate&);

}  // namespace postern::x509
