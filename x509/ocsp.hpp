// An OCSP response (RFC 6960 4.2.1), read whole and strictly; nothing judged. GnuTLS would read it too, but with a
// second parser for the certificates inside and without handing out the signed octets: one reader for all that is
// judged.
#pragma once

#include <memory>
#include <x509/certificate.hpp>

namespace postern::x509 {

enum class OcspStatus : std::uint8_t { good = 0, revoked = 1, unknown = 2 };

struct OcspSingle {
    std::string hash_algorithm;  // OID octets
    BytesView issuer_name_hash, issuer_key_hash;
    std::string serial;  // as Certificate::serial
    OcspStatus status = OcspStatus::unknown;
    Time revoked{};
    std::optional<std::uint64_t> reason;
    Time this_update{};
    std::optional<Time> next_update;
    bool unknown_critical = false;

    // Is this about that certificate of that issuer? With SHA-1 or SHA-256, which are all that is in use.
    bool speaks_of(const Certificate& certificate, const Certificate& issuer) const;
};

class OcspResponse {
public:
    static constexpr std::size_t size_limit = 64 * 1024;
    static constexpr std::size_t most_answers = 100, most_certificates = 10;
    // The failure's token is crl-unverifiable; a response that is no success (tryLater ...) is one too.
    static Outcome<OcspResponse> read(BytesView der);

    BytesView tbs, signature_algorithm, signature;
    std::optional<Name> responder_name;  // one of the two
    BytesView responder_key_hash;        // SHA-1 of its key
    Time produced{};
    std::vector<OcspSingle> answers;
    std::vector<Certificate> certificates;
    bool unknown_critical = false;

    // Is `certificate` who the response says has signed it?
    bool names(const Certificate& certificate) const;

private:
    explicit OcspResponse(BytesView der) : octets_(std::make_shared<const Bytes>(der.begin(), der.end())) {}
    std::string read_basic(const Element& basic);
    std::string read_data(const Element& data);
    std::string read_responder(const Element& choice);
    std::shared_ptr<const Bytes> octets_;
};

}  // namespace postern::x509
