#include <gnutls/crypto.h>

#include <x509/extensions.hpp>
#include <x509/ocsp.hpp>
#include <x509/oid.hpp>

namespace postern::x509 {
namespace {

Failure malformed(const std::string& what) { return {"crl-unverifiable", "the OCSP response cannot be read: " + what}; }

bool hashes_to(gnutls_digest_algorithm_t algorithm, BytesView data, BytesView hash) {
    std::uint8_t octets[64];
    const auto size = static_cast<std::size_t>(gnutls_hash_get_len(algorithm));
    return hash.size() == size && gnutls_hash_fast(algorithm, data.data(), data.size(), octets) == 0 &&
           equal(hash, BytesView(octets, size));
}

// Extensions of which none is known: a critical one makes what it stands at unusable.
bool read_unknown_extensions(const std::optional<Element>& wrapper, bool& critical) {
    if (!wrapper) return true;
    Reader inside(*wrapper);
    Reader list(inside.expect(tag::sequence));
    while (list.more()) {
        const auto extension = read_extension(list.any());
        if (!extension) return false;
        critical |= extension->critical;
    }
    return inside.finished() && list.finished();
}

bool read_certificate_id(Reader fields, OcspSingle& single) {
    Reader algorithm(fields.expect(tag::sequence));
    single.hash_algorithm = text(algorithm.expect(tag::oid).content);
    algorithm.optional(tag::null);
    single.issuer_name_hash = fields.expect(tag::octet_string).content;
    single.issuer_key_hash = fields.expect(tag::octet_string).content;
    const auto serial = read_integer(fields.expect(tag::integer));
    if (!fields.finished() || !algorithm.finished() || !serial) return false;
    single.serial = text(*serial);
    return true;
}

bool read_revoked(Reader info, OcspSingle& single) {
    const auto when = read_time(info.expect(tag::generalized_time));
    if (const auto wrapper = info.optional(tag::context_constructed(0))) {
        Reader inside(*wrapper);
        single.reason = read_unsigned({tag::integer, inside.expect(tag::enumerated).content, {}});
        if (!inside.finished() || !single.reason) return false;
    }
    single.status = OcspStatus::revoked;
    single.revoked = when.value_or(Time{});
    return info.finished() && when.has_value();
}

bool read_status(const Element& choice, OcspSingle& single) {
    if (choice.tag == tag::context_constructed(1)) return read_revoked(Reader(choice), single);
    if (!choice.content.empty()) return false;
    if (choice.tag == tag::context(0)) single.status = OcspStatus::good;
    else if (choice.tag != tag::context(2)) return false;
    return true;
}

std::optional<OcspSingle> read_single(const Element& element) {
    OcspSingle single;
    Reader fields(element);
    if (!read_certificate_id(Reader(fields.expect(tag::sequence)), single)) return std::nullopt;
    if (!read_status(fields.any(), single)) return std::nullopt;
    const auto this_update = read_time(fields.expect(tag::generalized_time));
    if (!this_update) return std::nullopt;
    single.this_update = *this_update;
    if (const auto wrapper = fields.optional(tag::context_constructed(0))) {
        Reader inside(*wrapper);
        single.next_update = read_time(inside.expect(tag::generalized_time));
        if (!inside.finished() || !single.next_update) return std::nullopt;
    }
    if (!read_unknown_extensions(fields.optional(tag::context_constructed(1)), single.unknown_critical))
        return std::nullopt;
    return fields.finished() ? std::optional(single) : std::nullopt;
}

}  // namespace

bool OcspSingle::speaks_of(const Certificate& certificate, const Certificate& issuer) const {
    if (serial != certificate.serial) return false;
    const auto algorithm = hash_algorithm == oid::sha1     ? GNUTLS_DIG_SHA1
                           : hash_algorithm == oid::sha256 ? GNUTLS_DIG_SHA256
                                                           : GNUTLS_DIG_UNKNOWN;
    return algorithm != GNUTLS_DIG_UNKNOWN && hashes_to(algorithm, certificate.issuer_der, issuer_name_hash) &&
           hashes_to(algorithm, issuer.key_bits, issuer_key_hash);
}

bool OcspResponse::names(const Certificate& certificate) const {
    if (responder_name) return *responder_name == certificate.subject;
    return hashes_to(GNUTLS_DIG_SHA1, certificate.key_bits, responder_key_hash);
}

Outcome<OcspResponse> OcspResponse::read(BytesView der) {
    if (der.size() > size_limit) return malformed("it is larger than 64 KiB");
    OcspResponse response(der);
    Reader outer(*response.octets_);
    Reader fields(outer.expect(tag::sequence));
    const auto status = fields.expect(tag::enumerated).content;
    if (!outer.finished() || status.size() != 1) return malformed("it is not one DER structure");
    if (status[0] != 0) return malformed("its responder could not answer (status " + std::to_string(status[0]) + ")");
    Reader wrapper(fields.expect(tag::context_constructed(0)));
    Reader bytes(wrapper.expect(tag::sequence));
    const auto type = text(bytes.expect(tag::oid).content);
    Reader basic(bytes.expect(tag::octet_string).content);
    const auto content = basic.expect(tag::sequence);
    if (!fields.finished() || !wrapper.finished() || !bytes.finished() || !basic.finished() || type != oid::ocsp_basic)
        return malformed("it is no basic response");
    if (auto problem = response.read_basic(content); !problem.empty()) return malformed(problem);
    return response;
}

std::string OcspResponse::read_basic(const Element& basic) {
    Reader parts(basic);
    const auto data = parts.expect(tag::sequence);
    tbs = data.whole;
    signature_algorithm = parts.expect(tag::sequence).whole;
    const auto bits = read_bit_string(parts.expect(tag::bit_string));
    const auto wrapper = parts.optional(tag::context_constructed(0));
    if (!parts.finished() || !bits || bits->unused != 0) return "its parts are not DER";
    signature = bits->bytes;
    if (wrapper) {
        Reader inside(*wrapper);
        Reader list(inside.expect(tag::sequence));
        while (list.more()) {
            const auto one = list.expect(tag::sequence);
            if (certificates.size() == most_certificates) return "it carries too many certificates";
            auto certificate = Certificate::read(one.whole);
            if (!certificate) return "a certificate in it is malformed";
            certificates.push_back(std::move(*certificate));
        }
        if (!inside.finished() || !list.finished()) return "its certificates are not DER";
    }
    return read_data(data);
}

std::string OcspResponse::read_responder(const Element& choice) {
    Reader inside(choice);
    if (choice.tag == tag::context_constructed(1)) {
        responder_name = Name::read(inside.expect(tag::sequence));
        return inside.finished() && responder_name ? "" : "its responder's name is malformed";
    }
    if (choice.tag != tag::context_constructed(2)) return "it does not say who made it";
    responder_key_hash = inside.expect(tag::octet_string).content;
    return inside.finished() && responder_key_hash.size() == 20 ? "" : "its responder's key is malformed";
}

std::string OcspResponse::read_data(const Element& data) {
    Reader fields(data);
    fields.optional(tag::context_constructed(0));  // a version; there is only the first, which DER leaves out
    if (auto problem = read_responder(fields.any()); !problem.empty()) return problem;
    const auto made = read_time(fields.expect(tag::generalized_time));
    if (!made) return "its date is malformed";
    produced = *made;
    Reader list(fields.expect(tag::sequence));
    while (list.more()) {
        auto single = read_single(list.expect(tag::sequence));
        if (!single || answers.size() == most_answers) return "an answer in it is malformed, or there are too many";
        answers.push_back(std::move(*single));
    }
    if (!read_unknown_extensions(fields.optional(tag::context_constructed(1)), unknown_critical))
        return "its extensions are malformed";
    return fields.finished() && list.finished() ? "" : "its data are not DER";
}

}  // namespace postern::x509
