// Revocation lists for tests, written octet by octet (RFC 5280 5.1) and signed by an Authority: GnuTLS cannot write the
// extensions that matter here.
#pragma once

#include <gnutls/abstract.h>

#include <support/authority.hpp>

namespace postern::test {

namespace der {
inline Bytes element(std::uint8_t tag, const Bytes& content) {
    Bytes whole{tag};
    if (content.size() < 128) {
        whole.push_back(static_cast<std::uint8_t>(content.size()));
    } else {
        whole.insert(whole.end(), {0x84, static_cast<std::uint8_t>(content.size() >> 24),
                                   static_cast<std::uint8_t>(content.size() >> 16 & 255),
                                   static_cast<std::uint8_t>(content.size() >> 8 & 255),
                                   static_cast<std::uint8_t>(content.size() & 255)});
        while (whole[2] == 0) {
            whole.erase(whole.begin() + 2);
            --whole[1];
        }
    }
    whole.insert(whole.end(), content.begin(), content.end());
    return whole;
}
inline Bytes join(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}
inline Bytes sequence(std::initializer_list<Bytes> parts) { return element(0x30, join(parts)); }
inline Bytes text(std::uint8_t tag, const std::string& value) {
    return element(tag, Bytes(value.begin(), value.end()));
}
inline Bytes time(std::chrono::system_clock::time_point when) {
    const auto seconds = std::chrono::system_clock::to_time_t(when);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char value[32];
    return text(0x17, {value, std::strftime(value, sizeof value, "%y%m%d%H%M%SZ", &parts)});
}
inline Bytes extension(const Bytes& oid, bool critical, const Bytes& value) {
    const Bytes flag = critical ? Bytes{0x01, 0x01, 0xff} : Bytes{};
    return sequence({element(0x06, oid), flag, element(0x04, value)});
}
}  // namespace der

struct ListTerms {
    std::vector<const Authority*> revoked;
    int number = 1;
    std::chrono::minutes begins{-60}, ends{24 * 60};  // from now
    std::string point;                                // issuingDistributionPoint's URI; empty: none
    bool only_ca = false, only_user = false;
    int reason = -1;            // of every entry, as RFC 5280 5.3.1 numbers them; -1: none stated
    bool odd_critical = false;  // a critical extension that nobody knows
    bool delta = false;
    bool indirect = false;
    std::string freshest;                     // freshestCRL's URI; empty: none
    bool endless = false;                     // nextUpdate in the year 9999
    const Authority* entry_issuer = nullptr;  // whose serials the entries are, in an indirect list
    unsigned only_reasons = 0;                // bits as RFC 5280 numbers ReasonFlags; 0: not stated
    Bytes entries;                            // the content of revokedCertificates, instead of `revoked`
    Bytes key_id;                             // authorityKeyIdentifier; empty: not stated
    std::string signer_at;                    // authorityInfoAccess: caIssuers; empty: not stated
};

inline Bytes issuing_point(const ListTerms& terms) {
    Bytes content;
    if (!terms.point.empty()) content = der::element(0xa0, der::element(0xa0, der::text(0x86, terms.point)));
    if (terms.only_user) content = der::join({content, {0x81, 0x01, 0xff}});
    if (terms.only_ca) content = der::join({content, {0x82, 0x01, 0xff}});
    if (terms.only_reasons) {
        Bytes bits{0x07, 0x00, 0x00};  // nine bits
        for (unsigned n = 1; n <= 8; ++n)
            if (terms.only_reasons >> n & 1) bits[1 + n / 8] |= static_cast<std::uint8_t>(0x80u >> n % 8);
        while (bits.size() > 2 && bits.back() == 0) bits.pop_back();
        bits[0] = 0;
        for (auto last = bits.back(); !(last & 1); last >>= 1) ++bits[0];
        content = der::join({content, der::element(0x83, bits)});
    }
    if (terms.indirect) content = der::join({content, {0x84, 0x01, 0xff}});
    return der::element(0x30, content);
}

inline Bytes subject_of(const Authority& authority) {
    gnutls_datum_t name{};
    must(gnutls_x509_crt_get_raw_dn(authority.certificate(), &name));
    Bytes octets(name.data, name.data + name.size);
    gnutls_free(name.data);
    return octets;
}

// A distribution point without a name whose list `lister` signs, for CertificateTerms::also (RFC 5280 4.2.1.13).
inline std::function<void(gnutls_x509_crt_t)> crl_issuer(const Authority& lister) {
    const auto point = der::sequence({der::element(0xa2, der::element(0xa4, subject_of(lister)))});
    return [points = der::sequence({point})](gnutls_x509_crt_t certificate) {
        must(gnutls_x509_crt_set_extension_by_oid(certificate, "2.5.29.31", points.data(), points.size(), 0));
    };
}

inline Bytes list_entries(const ListTerms& terms, std::chrono::system_clock::time_point now) {
    Bytes entries = terms.entries;
    for (const auto* one : terms.revoked) {
        std::uint8_t serial[32];
        std::size_t size = sizeof serial;
        must(gnutls_x509_crt_get_serial(one->certificate(), serial, &size));
        Bytes fields = der::join({der::element(0x02, Bytes(serial, serial + size)), der::time(now)});
        Bytes extensions;
        if (terms.reason >= 0)
            extensions =
                der::extension({0x55, 0x1d, 0x15}, false, {0x0a, 0x01, static_cast<std::uint8_t>(terms.reason)});
        if (terms.entry_issuer)
            extensions = der::join(
                {extensions, der::extension({0x55, 0x1d, 0x1d}, true,
                                            der::sequence({der::element(0xa4, subject_of(*terms.entry_issuer))}))});
        if (!extensions.empty()) fields = der::join({fields, der::element(0x30, extensions)});
        entries = der::join({entries, der::element(0x30, fields)});
    }
    return entries.empty() ? entries : der::element(0x30, entries);
}

inline Bytes list_extensions(const ListTerms& terms) {
    const Bytes number{0x02, 0x01, static_cast<std::uint8_t>(terms.number)};
    Bytes all = der::extension({0x55, 0x1d, 0x14}, false, number);
    if (!terms.point.empty() || terms.only_ca || terms.only_user || terms.indirect || terms.only_reasons)
        all = der::join({all, der::extension({0x55, 0x1d, 0x1c}, true, issuing_point(terms))});
    if (!terms.freshest.empty())
        all = der::join({all, der::extension({0x55, 0x1d, 0x2e}, false,
                                             der::sequence({der::sequence({der::element(
                                                 0xa0, der::element(0xa0, der::text(0x86, terms.freshest)))})}))});
    if (terms.delta) all = der::join({all, der::extension({0x55, 0x1d, 0x1b}, true, {0x02, 0x01, 0x01})});
    if (!terms.key_id.empty())
        all = der::join(
            {all, der::extension({0x55, 0x1d, 0x23}, false, der::sequence({der::element(0x80, terms.key_id)}))});
    if (!terms.signer_at.empty())
        all = der::join({all, der::extension({0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01}, false,
                                             der::sequence({der::sequence(
                                                 {der::element(0x06, {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02}),
                                                  der::text(0x86, terms.signer_at)})}))});
    if (terms.odd_critical) all = der::join({all, der::extension({0x2a, 0x03, 0x04}, true, {0x05, 0x00})});
    return der::element(0xa0, der::element(0x30, all));
}

// DER, signed with ECDSA and SHA-256.
inline Bytes make_list(const Authority& issuer, const ListTerms& terms) {
    const auto now = std::chrono::system_clock::now();
    const auto algorithm = der::sequence({der::element(0x06, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02})});
    const auto tbs = der::sequence({{0x02, 0x01, 0x01},
                                    algorithm,
                                    subject_of(issuer),
                                    der::time(now + terms.begins),
                                    terms.endless ? der::text(0x18, "99991231235959Z") : der::time(now + terms.ends),
                                    list_entries(terms, now),
                                    list_extensions(terms)});
    gnutls_privkey_t key;
    must(gnutls_privkey_init(&key));
    must(gnutls_privkey_import_x509(key, issuer.key(), 0));
    const gnutls_datum_t data{const_cast<unsigned char*>(tbs.data()), static_cast<unsigned>(tbs.size())};
    gnutls_datum_t signature{};
    must(gnutls_privkey_sign_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &signature));
    gnutls_privkey_deinit(key);
    Bytes bits{0};
    bits.insert(bits.end(), signature.data, signature.data + signature.size);
    gnutls_free(signature.data);
    return der::sequence({tbs, algorithm, der::element(0x03, bits)});
}

}  // namespace postern::test
