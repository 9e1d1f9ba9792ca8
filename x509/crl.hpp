// A certificate revocation list, read whole and strictly (RFC 5280 5): its head, and an index of its entries.
//
// Entries are walked once; each costs 16 octets of index, its date and reason are read again from the DER when asked
// for. A million entries take a fraction of a second: never hand a fetched list to gnutls_x509_crl_import, which is
// quadratic. Nothing is judged here: signature, dates and scope are the checker's business (plugins/crl).
#pragma once

#include <memory>
#include <postern/pending.hpp>
#include <x509/general_name.hpp>

namespace postern::x509 {

// CRLReason, RFC 5280 5.3.1.
enum class RevocationReason : std::uint8_t {
    unspecified = 0,
    key_compromise = 1,
    ca_compromise = 2,
    affiliation_changed = 3,
    superseded = 4,
    cessation_of_operation = 5,
    certificate_hold = 6,
    remove_from_crl = 8,
    privilege_withdrawn = 9,
    aa_compromise = 10,
};
std::string_view name_of(RevocationReason);  // "keyCompromise"

struct IssuingDistributionPoint {
    std::optional<DistributionPointName> name;
    bool only_user = false, only_ca = false, only_attribute = false, indirect = false;
    std::optional<std::uint16_t> only_reasons;  // absent: all of them
};

// The content of the extension; empty where malformed.
std::optional<IssuingDistributionPoint> read_issuing_point(Reader value);

struct Revocation {
    Time date{};
    RevocationReason reason = RevocationReason::unspecified;
};

class CertificateList {
public:
    static constexpr std::size_t size_limit = 64 * 1024 * 1024;
    static constexpr std::size_t issuer_limit = 10000;  // changes of certificateIssuer in an indirect list
    // Takes the octets over, no copy. The failure's token is crl-unverifiable, its text says what is malformed.
    static Outcome<CertificateList> read(Bytes der);

    BytesView der() const { return *octets_; }

    BytesView tbs;
    BytesView signature_algorithm;
    BytesView signature;
    unsigned version = 1;
    Name issuer;
    Time this_update{};
    std::optional<Time> next_update;
    Bytes authority_key_id;            // empty: not stated
    std::optional<Bytes> number;       // the INTEGER's octets, without a leading zero; compare with compare_numbers
    std::optional<Bytes> base_number;  // a delta list; the number of the list that it builds upon
    std::optional<IssuingDistributionPoint> distribution_point;
    std::vector<DistributionPoint> freshest_crl_points;
    std::vector<std::string> ca_issuer_urls;  // where the certificate of its signer may be (5.2.7)
    // Not empty: a critical extension of the list or of an entry is unknown, and the list must not be used (5.2, 5.3).
    std::string unusable;

    std::size_t size() const { return entries_.size(); }
    // `serial` as Certificate::serial has it; `certificate_issuer` decides whose serial it is in an indirect list.
    std::optional<Revocation> find(std::string_view serial, const Name& certificate_issuer) const;

private:
    friend class CertificateListReader;
    struct Entry {
        std::uint64_t prefix;  // the serial's first eight octets
        std::uint32_t offset;  // of the entry in the DER
        std::uint32_t issuer;  // index into issuers_
    };
    explicit CertificateList(Bytes der) : octets_(std::make_shared<const Bytes>(std::move(der))) {}
    BytesView serial_at(const Entry&) const;
    bool before(const Entry&, const Entry&) const;

    std::shared_ptr<const Bytes> octets_;
    std::vector<Entry> entries_;  // sorted by serial
    std::vector<Name> issuers_;   // of entries; the first is the list's own issuer
};

// Of two CRL numbers: negative, zero, positive.
int compare_numbers(BytesView left, BytesView right);

}  // namespace postern::x509
