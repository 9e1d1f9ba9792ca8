#include <gnutls/crypto.h>

#include <array>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/handles.hpp>
#include <tls-mutual/known_certificates.hpp>

namespace postern::tls_mutual {
namespace {

constexpr unsigned most_certificates = 32;  // real chains have at most five

std::string sha256_hex(BytesView bytes) {
    std::array<std::uint8_t, 32> digest{};
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.data(), bytes.size(), digest.data()) != 0) return {};
    std::string text;
    for (const auto octet : digest) {
        constexpr char digits[] = "0123456789abcdef";
        text += digits[octet >> 4];
        text += digits[octet & 15];
    }
    return text;
}

// The SubjectPublicKeyInfo that the handshake's signature was checked with.
std::string handshake_key(const gnutls_datum_t& leaf) {
    gnutls_pcert_st certificate{};
    if (gnutls_pcert_import_x509_raw(&certificate, &leaf, GNUTLS_X509_FMT_DER, 0) != 0) return {};
    OwnedDatum spki;
    const int status = gnutls_pubkey_export2(certificate.pubkey, GNUTLS_X509_FMT_DER, &spki.datum);
    gnutls_pcert_deinit(&certificate);
    return status == 0 ? sha256_hex(spki.view()) : std::string();
}

TlsVersion version_of(gnutls_protocol_t protocol) {
    if (protocol == GNUTLS_TLS1_2) return TlsVersion::tls12;
    if (protocol == GNUTLS_TLS1_3) return TlsVersion::tls13;
    return TlsVersion::unknown;
}

KnownCertificates& known_certificates() {
    static KnownCertificates known;
    return known;
}

// A certificate that the strict reader refuses stays in the chain as octets without names or key: it speaks for
// nobody and the judge calls it invalid, yet unlisted mail may go on.
CertificateFacts read_or_bare(BytesView der) {
    if (auto facts = read_facts(der)) return std::move(*facts);
    CertificateFacts bare;
    bare.der.assign(der.begin(), der.end());
    bare.sha256 = sha256_hex(der);
    return bare;
}

// Nothing: the leaf's key reads differently in GnuTLS, which checked the handshake with it.
std::optional<CertificateFacts> read_certificate(const gnutls_datum_t& sent, bool leaf) {
    const BytesView der{sent.data, sent.size};
    const auto known = known_certificates().find(der);
    if (known && (known->key_agrees || !leaf)) return known->facts;
    KnownCertificate fresh{known ? known->facts : read_or_bare(der), false};
    const bool bare = fresh.facts.key_sha256.empty();
    if (bare) return fresh.facts;
    if (leaf && fresh.facts.key_sha256 != handshake_key(sent)) return std::nullopt;
    fresh.key_agrees = leaf;
    auto facts = fresh.facts;
    known_certificates().keep(std::move(fresh));
    return facts;
}

}  // namespace

std::string server_name(gnutls_session_t session) {
    std::array<char, 256> name{};
    auto size = name.size();
    unsigned kind = 0;
    if (gnutls_server_name_get(session, name.data(), &size, &kind, 0) != 0 || kind != GNUTLS_NAME_DNS) return {};
    return {name.data(), size};
}

Outcome<TlsFacts> gather_facts(gnutls_session_t session) {
    TlsFacts facts;
    const auto protocol = gnutls_protocol_get_version(session);
    facts.version = version_of(protocol);
    if (facts.version == TlsVersion::unknown)
        return Failure{"handshake-failed", "the handshake ended in a version below TLS 1.2"};
    facts.protocol = gnutls_protocol_get_name(protocol);
    if (const char* cipher = gnutls_ciphersuite_get(session)) facts.cipher = cipher;
    facts.resumed = gnutls_session_is_resumed(session) != 0;
    facts.server_name = server_name(session);
    unsigned count = 0;
    const auto* chain = gnutls_certificate_get_peers(session, &count);
    if (!chain) count = 0;
    if (count > most_certificates)
        return Failure{"handshake-failed", "the peer sent a chain of more than 32 certificates"};
    for (unsigned at = 0; at < count; ++at) {
        auto read = read_certificate(chain[at], at == 0);
        if (!read)
            return Failure{
                "handshake-failed",
                "the key that the handshake was signed with is not the one read from the peer's certificate"};
        facts.peer_chain.push_back(std::move(*read));
    }
    gnutls_datum_t staple{nullptr, 0};  // GnuTLS keeps it
    if (gnutls_ocsp_status_request_get2(session, 0, &staple) == 0 && staple.data)
        facts.staple.assign(staple.data, staple.data + staple.size);
    return facts;
}

}  // namespace postern::tls_mutual
