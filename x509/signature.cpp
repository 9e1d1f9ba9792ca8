// Tables of algorithms and curves, and one call into GnuTLS. See signature.hpp.
#include <gnutls/abstract.h>

#include <algorithm>
#include <array>
#include <memory>
#include <x509/der.hpp>
#include <x509/oid.hpp>
#include <x509/signature.hpp>

namespace postern::x509 {
namespace {

using namespace std::string_view_literals;

enum class Family : std::uint8_t { rsa, ec, ed25519, ed448 };
enum class Strength : std::uint8_t { modern, legacy, never };
struct Algorithm {
    std::string_view oid;
    gnutls_sign_algorithm_t sign;
    Family family;
    Strength strength;
};
constexpr std::array algorithms{
    Algorithm{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"sv, GNUTLS_SIGN_RSA_SHA256, Family::rsa, Strength::modern},
    Algorithm{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"sv, GNUTLS_SIGN_RSA_SHA384, Family::rsa, Strength::modern},
    Algorithm{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"sv, GNUTLS_SIGN_RSA_SHA512, Family::rsa, Strength::modern},
    Algorithm{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e"sv, GNUTLS_SIGN_RSA_SHA224, Family::rsa, Strength::modern},
    Algorithm{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"sv, GNUTLS_SIGN_RSA_SHA1, Family::rsa, Strength::legacy},
    Algorithm{"\x2b\x0e\x03\x02\x1d"sv, GNUTLS_SIGN_RSA_SHA1, Family::rsa, Strength::legacy},
    Algorithm{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"sv, GNUTLS_SIGN_RSA_MD5, Family::rsa, Strength::never},
    Algorithm{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02"sv, GNUTLS_SIGN_RSA_MD2, Family::rsa, Strength::never},
    Algorithm{"\x2a\x86\x48\xce\x3d\x04\x03\x02"sv, GNUTLS_SIGN_ECDSA_SHA256, Family::ec, Strength::modern},
    Algorithm{"\x2a\x86\x48\xce\x3d\x04\x03\x03"sv, GNUTLS_SIGN_ECDSA_SHA384, Family::ec, Strength::modern},
    Algorithm{"\x2a\x86\x48\xce\x3d\x04\x03\x04"sv, GNUTLS_SIGN_ECDSA_SHA512, Family::ec, Strength::modern},
    Algorithm{"\x2a\x86\x48\xce\x3d\x04\x03\x01"sv, GNUTLS_SIGN_ECDSA_SHA224, Family::ec, Strength::modern},
    Algorithm{"\x2a\x86\x48\xce\x3d\x04\x01"sv, GNUTLS_SIGN_ECDSA_SHA1, Family::ec, Strength::legacy},
    Algorithm{oid::ed25519, GNUTLS_SIGN_EDDSA_ED25519, Family::ed25519, Strength::modern},
    Algorithm{oid::ed448, GNUTLS_SIGN_EDDSA_ED448, Family::ed448, Strength::modern},
    Algorithm{"\x2a\x86\x48\xce\x38\x04\x03"sv, GNUTLS_SIGN_DSA_SHA1, Family::rsa, Strength::never},
    Algorithm{"\x60\x86\x48\x01\x65\x03\x04\x03\x02"sv, GNUTLS_SIGN_DSA_SHA256, Family::rsa, Strength::never},
};

// RSASSA-PSS-params (RFC 4055 3.1) as they are used: one SHA-2 hash throughout, a salt of its length.
std::optional<Algorithm> read_pss(Reader fields) {
    struct Hash {
        std::string_view oid;
        gnutls_sign_algorithm_t sign;
        std::uint64_t size;
    };
    static constexpr std::array hashes{
        Hash{"\x60\x86\x48\x01\x65\x03\x04\x02\x01"sv, GNUTLS_SIGN_RSA_PSS_SHA256, 32},
        Hash{"\x60\x86\x48\x01\x65\x03\x04\x02\x02"sv, GNUTLS_SIGN_RSA_PSS_SHA384, 48},
        Hash{"\x60\x86\x48\x01\x65\x03\x04\x02\x03"sv, GNUTLS_SIGN_RSA_PSS_SHA512, 64},
    };
    Reader parameters(fields.expect(tag::sequence));
    Reader hash_wrapper(parameters.expect(tag::context_constructed(0)));
    Reader hash_fields(hash_wrapper.expect(tag::sequence));
    const auto hash_oid = hash_fields.expect(tag::oid).content;
    Reader mask_wrapper(parameters.expect(tag::context_constructed(1)));
    Reader mask(mask_wrapper.expect(tag::sequence));
    const bool mgf1 = text(mask.expect(tag::oid).content) == "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"sv;
    Reader mask_hash(mask.expect(tag::sequence));
    const auto mask_oid = mask_hash.expect(tag::oid).content;
    Reader salt(parameters.expect(tag::context_constructed(2)));
    const auto salt_size = read_unsigned(salt.expect(tag::integer));
    const auto hash = std::ranges::find(hashes, text(hash_oid), &Hash::oid);
    // An explicit trailerField of 1 is not DER (it is the default), anything else does not exist.
    if (!fields.finished() || !parameters.finished() || !salt.finished() || !mgf1 || !equal(hash_oid, mask_oid) ||
        hash == hashes.end() || salt_size != hash->size)
        return std::nullopt;
    return Algorithm{oid::rsa_pss, hash->sign, Family::rsa, Strength::modern};
}

std::optional<Algorithm> read_algorithm(BytesView whole) {
    Reader outer(whole);
    Reader fields(outer.expect(tag::sequence));
    const auto id = text(fields.expect(tag::oid).content);
    if (!outer.finished() || fields.failed()) return std::nullopt;
    if (id == oid::rsa_pss) return read_pss(fields);
    const auto known = std::ranges::find(algorithms, id, &Algorithm::oid);
    if (known == algorithms.end()) return std::nullopt;
    // RFC 4055: NULL with RSA (absent is let pass); RFC 5758, 8410: absent with the others.
    if (known->family == Family::rsa && known->strength != Strength::never) {
        if (auto null = fields.optional(tag::null); null && !null->content.empty()) return std::nullopt;
    }
    if (known->strength != Strength::never && !fields.finished()) return std::nullopt;
    return *known;
}

struct Key {
    Family family = Family::rsa;
    std::size_t bits = 0;
    std::string weakness;  // not empty: not usable in this profile
};

Key weak(std::string why) { return {Family::rsa, 0, std::move(why)}; }

Key read_rsa(BytesView bits, Profile profile) {
    Reader outer(bits);
    Reader fields(outer.expect(tag::sequence));
    const auto modulus = read_integer(fields.expect(tag::integer));
    const auto exponent = read_unsigned(fields.expect(tag::integer));
    if (!outer.finished() || !fields.finished() || !modulus || (*modulus)[0] >= 0x80)
        return weak("a malformed RSA key");
    // A huge exponent makes each check cost as much as a signature.
    if (!exponent || *exponent < 3 || *exponent % 2 == 0 || *exponent >> 33)
        return weak("RSA with an unusual public exponent");
    const auto number = (*modulus)[0] == 0 ? modulus->subspan(1) : *modulus;
    if (number.empty()) return weak("a malformed RSA key");
    std::size_t size = number.size() * 8;
    for (unsigned top = 0x80; top != 0 && !(number[0] & top); top >>= 1) --size;
    const std::size_t least = profile == Profile::legacy ? 1024 : 2048;
    Key key{Family::rsa, size, {}};
    if (size < least || size > 8192) key.weakness = "RSA with " + std::to_string(size) + " bits";
    return key;
}

Key read_curve(const Element& parameters, Profile profile) {
    struct Curve {
        std::string_view oid;
        std::size_t bits;
    };
    static constexpr std::array curves{
        Curve{"\x2a\x86\x48\xce\x3d\x03\x01\x07"sv, 256},
        Curve{"\x2b\x81\x04\x00\x22"sv, 384},
        Curve{"\x2b\x81\x04\x00\x23"sv, 521},
        Curve{"\x2b\x81\x04\x00\x21"sv, 224},
        Curve{"\x2a\x86\x48\xce\x3d\x03\x01\x01"sv, 192},
    };
    const auto known = std::ranges::find(curves, text(parameters.content), &Curve::oid);
    if (parameters.tag != tag::oid || known == curves.end()) return weak("an elliptic curve that is not known");
    Key key{Family::ec, known->bits, {}};
    if (known->bits < (profile == Profile::legacy ? 192u : 256u))
        key.weakness = "an elliptic curve of " + std::to_string(known->bits) + " bits";
    return key;
}

Key read_key(BytesView spki, Profile profile) {
    Reader outer(spki);
    Reader parts(outer.expect(tag::sequence));
    Reader algorithm(parts.expect(tag::sequence));
    const auto id = text(algorithm.expect(tag::oid).content);
    const auto bits = read_bit_string(parts.expect(tag::bit_string));
    if (!outer.finished() || !parts.finished() || algorithm.failed() || !bits) return weak("a malformed key");
    if (id == oid::rsa_encryption || id == oid::rsa_pss) return read_rsa(bits->bytes, profile);
    if (id == oid::ec_public_key) return read_curve(algorithm.any(), profile);
    if (id == oid::ed25519) return {Family::ed25519, 256, {}};
    if (id == oid::ed448) return {Family::ed448, 448, {}};
    return weak("a kind of key that mail does not use (" + dotted(bytes(id)) + ")");
}

gnutls_datum_t datum(BytesView view) {
    return {const_cast<unsigned char*>(view.data()), static_cast<unsigned>(view.size())};
}

}  // namespace

SignatureStanding verify(BytesView spki, BytesView algorithm, BytesView data, BytesView signature, Profile profile) {
    const auto signed_with = read_algorithm(algorithm);
    if (!signed_with || signed_with->strength == Strength::never) return SignatureStanding::weak;
    if (signed_with->strength == Strength::legacy && profile != Profile::legacy) return SignatureStanding::weak;
    const auto key = read_key(spki, profile);
    if (!key.weakness.empty()) return SignatureStanding::weak;
    if (key.family != signed_with->family) return SignatureStanding::bad;
    gnutls_pubkey_t raw = nullptr;
    if (gnutls_pubkey_init(&raw) < 0) return SignatureStanding::bad;
    const std::unique_ptr<gnutls_pubkey_st, decltype(&gnutls_pubkey_deinit)> owner(raw, gnutls_pubkey_deinit);
    const auto key_datum = datum(spki), data_datum = datum(data), signature_datum = datum(signature);
    if (gnutls_pubkey_import(raw, &key_datum, GNUTLS_X509_FMT_DER) < 0) return SignatureStanding::bad;
    // The profile was checked above; GnuTLS' own opinion of SHA-1 must not hide a forged signature behind "weak".
    const unsigned flags = profile == Profile::legacy ? GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1 : 0;
    return gnutls_pubkey_verify_data2(raw, signed_with->sign, flags, &data_datum, &signature_datum) >= 0
               ? SignatureStanding::good
               : SignatureStanding::bad;
}

std::string key_weakness(BytesView spki, Profile profile) { return read_key(spki, profile).weakness; }

}  // namespace postern::x509
