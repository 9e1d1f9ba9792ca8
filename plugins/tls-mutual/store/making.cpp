#include <gnutls/crypto.h>

#include <algorithm>
#include <array>
#include <tls-mutual/identity.hpp>
#include <tls-mutual/store/making.hpp>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {
namespace {

struct KeyRow {
    KeyType type;
    std::string_view word;
    gnutls_pk_algorithm_t algorithm;
    unsigned bits;
};
const std::array<KeyRow, 6> key_rows{
    {{KeyType::p256, "ecdsa-p256", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
     {KeyType::p384, "ecdsa-p384", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
     {KeyType::rsa2048, "rsa-2048", GNUTLS_PK_RSA, 2048},
     {KeyType::rsa3072, "rsa-3072", GNUTLS_PK_RSA, 3072},
     {KeyType::rsa4096, "rsa-4096", GNUTLS_PK_RSA, 4096},
     {KeyType::ed25519, "ed25519", GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519)}}};

constexpr std::array<const char*, 7> part_oids{GNUTLS_OID_X520_COUNTRY_NAME,
                                               GNUTLS_OID_LDAP_DC,
                                               GNUTLS_OID_X520_STATE_OR_PROVINCE_NAME,
                                               GNUTLS_OID_X520_LOCALITY_NAME,
                                               GNUTLS_OID_X520_ORGANIZATION_NAME,
                                               GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME,
                                               GNUTLS_OID_X520_COMMON_NAME};

Failure failed(const char* what, int status) {
    return {"cannot-make", std::string(what) + " cannot be made: " + gnutls_strerror(status)};
}

// The extKeyUsage extension, not critical: GnuTLS' own call for requests makes it so at the second purpose.
Bytes purposes_of(const CertificateTerms& terms) {
    constexpr std::array<std::uint8_t, 10> oid{0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
    Bytes content;
    for (const bool client : {false, true}) {
        if (!(client ? terms.client : terms.server)) continue;
        content.insert(content.end(), oid.begin(), oid.end());
        if (client) content.back() = 0x02;  // id-kp-clientAuth is 1.3.6.1.5.5.7.3.2 (RFC 5280 4.2.1.12)
    }
    content.insert(content.begin(), {0x30, static_cast<std::uint8_t>(content.size())});
    return content;
}

// GnuTLS has one family of functions for requests and one for certificates; the steps are the same.
struct RequestCalls {
    using Object = gnutls_x509_crq_t;
    static constexpr auto set_name = gnutls_x509_crq_set_dn_by_oid;
    static constexpr auto set_alternative = gnutls_x509_crq_set_subject_alt_name;
    static constexpr auto set_use = gnutls_x509_crq_set_key_usage;
    static constexpr auto set_extension = gnutls_x509_crq_set_extension_by_oid;
    static constexpr auto set_key = gnutls_x509_crq_set_pubkey;
};
struct CertificateCalls {
    using Object = gnutls_x509_crt_t;
    static constexpr auto set_name = gnutls_x509_crt_set_dn_by_oid;
    static constexpr auto set_alternative = gnutls_x509_crt_set_subject_alt_name;
    static constexpr auto set_use = gnutls_x509_crt_set_key_usage;
    static constexpr auto set_extension = gnutls_x509_crt_set_extension_by_oid;
    static constexpr auto set_key = gnutls_x509_crt_set_pubkey;
};

// The first status below 0, else 0.
template <class Calls>
int fill(typename Calls::Object object, const CertificateTerms& terms, gnutls_privkey_t key) {
    int status = 0;
    const auto step = [&status](int result) { status = status < 0 ? status : result; };
    for (const auto& one : terms.subject.values)
        step(Calls::set_name(object, part_oids[static_cast<std::size_t>(one.part)], 0, one.value.data(),
                             static_cast<unsigned>(one.value.size())));
    for (const auto& name : terms.dns_names)
        step(Calls::set_alternative(object, GNUTLS_SAN_DNSNAME, name.data(), static_cast<unsigned>(name.size()),
                                    GNUTLS_FSAN_APPEND));
    const bool rsa = gnutls_privkey_get_pk_algorithm(key, nullptr) == GNUTLS_PK_RSA;
    step(Calls::set_use(object, GNUTLS_KEY_DIGITAL_SIGNATURE | (rsa ? GNUTLS_KEY_KEY_ENCIPHERMENT : 0)));
    const auto purposes = purposes_of(terms);
    step(Calls::set_extension(object, "2.5.29.37", purposes.data(), purposes.size(), 0));
    gnutls_pubkey_t raw = nullptr;
    step(gnutls_pubkey_init(&raw));
    const PublicKeyHandle ours(raw);
    step(gnutls_pubkey_import_privkey(raw, key, 0, 0));
    step(Calls::set_key(object, raw));
    return status;
}

gnutls_digest_algorithm_t digest_for(gnutls_privkey_t key) {
    unsigned bits = 0;
    const int algorithm = gnutls_privkey_get_pk_algorithm(key, &bits);
    if (algorithm == GNUTLS_PK_EDDSA_ED25519) return GNUTLS_DIG_SHA512;
    return algorithm == GNUTLS_PK_ECDSA && bits > 256 ? GNUTLS_DIG_SHA384 : GNUTLS_DIG_SHA256;
}

// RFC 5280 4.1.2.2: positive, unique, at most 20 octets. 126 random bits are never repeated.
int set_serial(gnutls_x509_crt_t certificate) {
    std::array<unsigned char, 16> serial{};
    if (const int status = gnutls_rnd(GNUTLS_RND_NONCE, serial.data(), serial.size()); status < 0) return status;
    serial[0] = (serial[0] & 0x3f) | 0x40;
    return gnutls_x509_crt_set_serial(certificate, serial.data(), serial.size());
}

Bytes copied(const OwnedDatum& datum) {
    const auto view = datum.view();
    return {view.begin(), view.end()};
}

std::string request_digest(gnutls_x509_crq_t request) {
    gnutls_pubkey_t raw = nullptr;
    if (gnutls_pubkey_init(&raw) < 0) return {};
    const PublicKeyHandle key(raw);
    return gnutls_pubkey_import_x509_crq(raw, request, 0) < 0 ? std::string() : key_digest(raw);
}

}  // namespace

std::optional<KeyType> key_type(std::string_view word) {
    const auto* found = std::ranges::find(key_rows, word, &KeyRow::word);
    if (found == key_rows.end()) return std::nullopt;
    return found->type;
}

std::string_view key_type_words() { return "ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096, ed25519"; }

KeyKindOfLibrary key_kind(KeyType type) {
    const auto& row = *std::ranges::find(key_rows, type, &KeyRow::type);
    return {row.algorithm, row.bits};
}

Outcome<PrivateKeyHandle> make_key(KeyType type) {
    const auto row = key_kind(type);
    gnutls_privkey_t raw = nullptr;
    int status = gnutls_privkey_init(&raw);
    PrivateKeyHandle key(raw);
    if (status >= 0) status = gnutls_privkey_generate(raw, row.algorithm, row.bits, 0);
    if (status < 0) return failed("a key", status);
    return key;
}

Outcome<Secret> key_to_pem(gnutls_privkey_t key) {
    gnutls_x509_privkey_t raw = nullptr;
    int status = gnutls_privkey_export_x509(key, &raw);
    if (status < 0) return Failure{"cannot-make", "the private key cannot leave its token"};
    const SoftKeyHandle soft(raw);
    OwnedDatum pem;
    status = gnutls_x509_privkey_export2_pkcs8(raw, GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN, &pem.datum);
    if (status < 0) return failed("the key's file", status);
    Secret secret;
    secret.bytes = copied(pem);
    gnutls_memset(pem.datum.data, 0, pem.datum.size);
    return secret;
}

Outcome<Bytes> make_request(const CertificateTerms& terms, gnutls_privkey_t key) {
    gnutls_x509_crq_t raw = nullptr;
    int status = gnutls_x509_crq_init(&raw);
    const RequestHandle request(raw);
    if (status >= 0) status = gnutls_x509_crq_set_version(raw, 1);
    if (status >= 0) status = fill<RequestCalls>(raw, terms, key);
    if (status >= 0) status = gnutls_x509_crq_privkey_sign(raw, key, digest_for(key), 0);
    OwnedDatum der;
    if (status >= 0) status = gnutls_x509_crq_export2(raw, GNUTLS_X509_FMT_DER, &der.datum);
    if (status < 0) return failed("the request", status);
    return copied(der);
}

Outcome<Bytes> make_self_signed(const CertificateTerms& terms, gnutls_privkey_t key, Time now) {
    gnutls_x509_crt_t raw = nullptr;
    int status = gnutls_x509_crt_init(&raw);
    const CertificateHandle certificate(raw);
    const auto step = [&status](int result) { status = status < 0 ? status : result; };
    const auto seconds = std::chrono::system_clock::to_time_t(now);
    const auto life = std::chrono::duration_cast<std::chrono::seconds>(terms.lifetime).count();
    step(gnutls_x509_crt_set_version(raw, 3));
    step(set_serial(raw));
    step(gnutls_x509_crt_set_activation_time(raw, seconds - 300));  // a peer's clock may lag
    step(gnutls_x509_crt_set_expiration_time(raw, seconds + life));
    step(gnutls_x509_crt_set_basic_constraints(raw, 0, -1));
    step(fill<CertificateCalls>(raw, terms, key));
    std::array<unsigned char, 20> id{};
    auto size = id.size();
    step(gnutls_x509_crt_get_key_id(raw, 0, id.data(), &size));
    step(gnutls_x509_crt_set_subject_key_id(raw, id.data(), size));
    step(gnutls_x509_crt_privkey_sign(raw, raw, key, digest_for(key), 0));
    OwnedDatum der;
    step(gnutls_x509_crt_export2(raw, GNUTLS_X509_FMT_DER, &der.datum));
    if (status < 0) return failed("the certificate", status);
    return copied(der);
}

std::optional<std::string> describe_request(PendingRequest& request) {
    gnutls_x509_crq_t raw = nullptr;
    if (gnutls_x509_crq_init(&raw) < 0) return "out of memory";
    const RequestHandle held(raw);
    const auto der = borrowed(request.der);
    if (gnutls_x509_crq_import(raw, &der, GNUTLS_X509_FMT_DER) < 0) return "its certificate request cannot be read";
    request.key_sha256 = request_digest(raw);
    OwnedDatum subject;
    if (gnutls_x509_crq_get_dn3(raw, &subject.datum, 0) >= 0)
        request.subject.assign(reinterpret_cast<const char*>(subject.datum.data), subject.datum.size);
    for (unsigned at = 0;; ++at) {
        std::array<char, 512> name{};
        auto size = name.size();
        unsigned kind = 0;
        if (gnutls_x509_crq_get_subject_alt_name(raw, at, name.data(), &size, &kind, nullptr) < 0) break;
        if (kind == GNUTLS_SAN_DNSNAME) request.names.emplace_back(name.data(), size);
    }
    if (request.key_sha256.empty()) return "the key of its certificate request cannot be read";
    return std::nullopt;
}

std::string key_text(BytesView certificate) {
    gnutls_pcert_st one{};
    const auto der = borrowed(certificate);
    if (gnutls_pcert_import_x509_raw(&one, &der, GNUTLS_X509_FMT_DER, 0) < 0) return "unknown";
    unsigned bits = 0;
    const int algorithm = gnutls_pubkey_get_pk_algorithm(one.pubkey, &bits);
    gnutls_pcert_deinit(&one);
    if (algorithm == GNUTLS_PK_ECDSA) return "ECDSA P-" + std::to_string(bits);
    if (algorithm == GNUTLS_PK_EDDSA_ED25519) return "Ed25519";
    const char* name = gnutls_pk_algorithm_get_name(static_cast<gnutls_pk_algorithm_t>(algorithm));
    return std::string(name ? name : "unknown") + " " + std::to_string(bits);
}

}  // namespace postern::tls_mutual
