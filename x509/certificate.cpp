// The outer structure of a certificate and its facts; extensions.cpp reads the rest. See certificate.hpp.
#include <gnutls/crypto.h>

#include <algorithm>
#include <x509/certificate.hpp>
#include <x509/extensions.hpp>
#include <x509/oid.hpp>

namespace postern::x509 {
namespace {

Failure malformed(std::string what) { return {"broken-constraint", "the certificate cannot be read: " + what}; }

std::string read_version(Reader& fields, Certificate& certificate) {
    const auto wrapper = fields.optional(tag::context_constructed(0));
    if (!wrapper) return {};
    Reader inside(*wrapper);
    const auto number = read_unsigned(inside.expect(tag::integer));
    if (!inside.finished() || !number || *number > 2) return "its version is not one of RFC 5280";
    certificate.version = static_cast<unsigned>(*number) + 1;
    return {};
}

std::string read_validity(const Element& element, Certificate& certificate) {
    Reader times(element);
    const auto from = read_time(times.any()), until = read_time(times.any());
    if (!times.finished() || !from || !until) return "its validity is malformed";
    certificate.not_before = *from;
    certificate.not_after = *until;
    return {};
}

std::string read_key(const Element& element, Certificate& certificate) {
    certificate.spki = element.whole;
    Reader key(element);
    Reader algorithm(key.expect(tag::sequence));
    const auto bits = read_bit_string(key.expect(tag::bit_string));
    if (!is_oid(algorithm.expect(tag::oid)) || algorithm.failed() || !bits || bits->unused != 0 || !key.finished())
        return "its public key is malformed";
    certificate.key_bits = bits->bytes;
    return {};
}

// After the key: unique identifiers (obsolete, skipped) and the extensions of version 3.
std::string read_tail(Reader& fields, Certificate& certificate) {
    if (certificate.version >= 2) {
        fields.optional(tag::context(1));
        fields.optional(tag::context(2));
    }
    if (const auto wrapper = certificate.version == 3 ? fields.optional(tag::context_constructed(3)) : std::nullopt) {
        Reader inside(*wrapper);
        const auto list = inside.expect(tag::sequence);
        if (!inside.finished()) return "its extensions are malformed";
        if (auto problem = read_extensions(list, certificate); !problem.empty()) return problem;
    }
    return fields.finished() ? "" : "it holds something that does not belong there";
}

std::string read_tbs(const Element& tbs, Certificate& certificate) {
    Reader fields(tbs);
    if (auto problem = read_version(fields, certificate); !problem.empty()) return problem;
    const auto serial = read_integer(fields.expect(tag::integer));
    if (!serial || serial->size() > 64) return "its serial number is malformed";
    certificate.serial = text(*serial);
    // RFC 5280 4.1.1.2: else the algorithm outside the signature could be exchanged.
    if (!equal(fields.expect(tag::sequence).whole, certificate.signature_algorithm))
        return "its two signature algorithms differ";
    const auto issuer_name = fields.expect(tag::sequence);
    auto issuer = Name::read(issuer_name);
    certificate.issuer_der = issuer_name.whole;
    if (!issuer || issuer->empty()) return "its issuer is malformed or empty";
    certificate.issuer = std::move(*issuer);
    if (auto problem = read_validity(fields.expect(tag::sequence), certificate); !problem.empty()) return problem;
    const auto subject_name = fields.expect(tag::sequence);
    auto subject = Name::read(subject_name);
    certificate.subject_der = subject_name.whole;
    if (!subject) return "its subject is malformed";
    certificate.subject = std::move(*subject);
    if (auto problem = read_key(fields.expect(tag::sequence), certificate); !problem.empty()) return problem;
    return read_tail(fields, certificate);
}

std::string digest(gnutls_digest_algorithm_t algorithm, BytesView data, bool upper) {
    std::uint8_t hash[64];
    const auto size = gnutls_hash_get_len(algorithm);
    if (gnutls_hash_fast(algorithm, data.data(), data.size(), hash) < 0) return {};
    return hex(BytesView(hash, size), upper);
}

}  // namespace

Outcome<Certificate> Certificate::read(BytesView der) {
    if (der.size() > size_limit) return malformed("it is larger than 256 KiB");
    Certificate certificate(der);
    Reader outer{certificate.der()};
    Reader parts(outer.expect(tag::sequence));
    if (!outer.finished()) return malformed("it is not one DER structure");
    const auto tbs = parts.expect(tag::sequence);
    certificate.tbs = tbs.whole;
    certificate.signature_algorithm = parts.expect(tag::sequence).whole;
    const auto signature = read_bit_string(parts.expect(tag::bit_string));
    if (!parts.finished() || !signature || signature->unused != 0) return malformed("its three parts are not DER");
    certificate.signature = signature->bytes;
    if (auto problem = read_tbs(tbs, certificate); !problem.empty()) return malformed(std::move(problem));
    return certificate;
}

bool Certificate::serves(std::string_view purpose_oid) const {
    if (!extended_usages) return true;
    return std::ranges::any_of(*extended_usages, [&](const auto& usage) {
        return usage == purpose_oid || usage == oid::any_extended_key_usage;
    });
}

CertificateFacts facts(const Certificate& certificate) {
    CertificateFacts facts;
    const auto der = certificate.der();
    facts.der.assign(der.begin(), der.end());
    facts.subject = certificate.subject.text();
    facts.issuer = certificate.issuer.text();
    auto serial = bytes(certificate.serial);
    if (serial.size() > 1 && serial[0] == 0) serial = serial.subspan(1);
    facts.serial = hex(serial, true);
    facts.sha1 = digest(GNUTLS_DIG_SHA1, der, true);
    facts.sha256 = digest(GNUTLS_DIG_SHA256, der, false);
    facts.key_sha256 = digest(GNUTLS_DIG_SHA256, certificate.spki, false);
    facts.not_before = certificate.not_before;
    facts.not_after = certificate.not_after;
    facts.has_alternative_names = certificate.alternative_names.has_value();
    if (certificate.alternative_names)
        for (const auto& name : *certificate.alternative_names)
            if (name.kind == NameKind::dns) facts.dns_names.push_back(name.value);
    facts.common_names = certificate.subject.common_names();
    facts.client_purpose = certificate.serves(oid::client_auth);
    facts.server_purpose = certificate.serves(oid::server_auth);
    facts.self_issued = certificate.self_issued();
    for (const auto& point : certificate.crl_points)
        for (auto& url : point.urls()) facts.crl_urls.push_back(std::move(url));
    return facts;
}

}  // namespace postern::x509
