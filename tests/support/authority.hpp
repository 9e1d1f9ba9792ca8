// Certificates for tests, made with GnuTLS while the test runs: roots, intermediates, leafs with any fault one asks
// for.
#pragma once

#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>

#include <chrono>
#include <functional>
#include <memory>
#include <postern/types.hpp>
#include <stdexcept>

namespace postern::test {

inline void must(int status) {
    if (status < 0) throw std::runtime_error(gnutls_strerror(status));
}

struct CertificateTerms {
    std::string name;  // CN; a CA's whole subject is "CN=name"
    bool ca = false;
    int path_length = -1;
    std::vector<std::string> dns_names;
    std::vector<const char*> purposes;  // GNUTLS_KP_TLS_WWW_SERVER ...
    std::vector<std::string> crl_urls;
    std::chrono::hours begins{-24}, ends{24 * 30};  // from now
    unsigned key_usage = 0;                         // 0: none stated
    unsigned rsa_bits = 0;                          // 0: P-256
    gnutls_digest_algorithm_t digest = GNUTLS_DIG_SHA256;
    // Last word before signing: constraints, unknown extensions.
    std::function<void(gnutls_x509_crt_t)> also;
};

// A certificate with its key, able to issue others.
class Authority {
public:
    // Signed by `issuer`, or by itself.
    explicit Authority(const CertificateTerms& terms, const Authority* issuer = nullptr) {
        must(gnutls_x509_privkey_init(&key_));
        must(gnutls_x509_privkey_generate(
            key_, terms.rsa_bits ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA,
            terms.rsa_bits ? terms.rsa_bits : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
        make(terms, issuer);
    }
    // The same key under other terms: a cross-certificate, a renewal.
    Authority(const CertificateTerms& terms, const Authority& key_of, const Authority& issuer) {
        must(gnutls_x509_privkey_init(&key_));
        must(gnutls_x509_privkey_cpy(key_, key_of.key_));
        make(terms, &issuer);
    }
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;
    ~Authority() {
        if (certificate_) gnutls_x509_crt_deinit(certificate_);
        if (key_) gnutls_x509_privkey_deinit(key_);
    }

    Bytes der() const { return exported(GNUTLS_X509_FMT_DER); }
    std::string pem() const {
        const auto octets = exported(GNUTLS_X509_FMT_PEM);
        return {octets.begin(), octets.end()};
    }
    std::string key_pem() const {
        gnutls_datum_t out{};
        must(gnutls_x509_privkey_export2_pkcs8(key_, GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN, &out));
        std::string text(reinterpret_cast<char*>(out.data), out.size);
        gnutls_free(out.data);
        return text;
    }
    gnutls_x509_crt_t certificate() const { return certificate_; }
    gnutls_x509_privkey_t key() const { return key_; }

private:
    void make(const CertificateTerms& terms, const Authority* issuer) {
        must(gnutls_x509_crt_init(&certificate_));
        must(gnutls_x509_crt_set_version(certificate_, 3));
        static unsigned char serial[2] = {0x10, 0x00};
        if (++serial[1] == 0) ++serial[0];
        must(gnutls_x509_crt_set_serial(certificate_, serial, sizeof serial));
        const auto now = std::chrono::system_clock::now();
        must(gnutls_x509_crt_set_activation_time(certificate_,
                                                 std::chrono::system_clock::to_time_t(now + terms.begins)));
        must(gnutls_x509_crt_set_expiration_time(certificate_, std::chrono::system_clock::to_time_t(now + terms.ends)));
        must(gnutls_x509_crt_set_dn_by_oid(certificate_, GNUTLS_OID_X520_COMMON_NAME, 0, terms.name.data(),
                                           static_cast<unsigned>(terms.name.size())));
        must(gnutls_x509_crt_set_key(certificate_, key_));
        unsigned char id[20];
        std::size_t id_size = sizeof id;
        must(gnutls_x509_crt_get_key_id(certificate_, GNUTLS_KEYID_USE_SHA1, id, &id_size));
        must(gnutls_x509_crt_set_subject_key_id(certificate_, id, id_size));
        if (terms.ca) must(gnutls_x509_crt_set_basic_constraints(certificate_, 1, terms.path_length));
        for (const auto& name : terms.dns_names)
            must(gnutls_x509_crt_set_subject_alt_name(certificate_, GNUTLS_SAN_DNSNAME, name.data(),
                                                      static_cast<unsigned>(name.size()), GNUTLS_FSAN_APPEND));
        for (const auto* purpose : terms.purposes) must(gnutls_x509_crt_set_key_purpose_oid(certificate_, purpose, 0));
        for (const auto& url : terms.crl_urls)
            must(gnutls_x509_crt_set_crl_dist_points2(certificate_, GNUTLS_SAN_URI, url.data(),
                                                      static_cast<unsigned>(url.size()), 0));
        if (terms.key_usage) must(gnutls_x509_crt_set_key_usage(certificate_, terms.key_usage));
        if (terms.also) terms.also(certificate_);
        const auto& by = issuer ? *issuer : *this;
        must(gnutls_x509_crt_sign2(certificate_, by.certificate_, by.key_, terms.digest, 0));
    }
    Bytes exported(gnutls_x509_crt_fmt_t format) const {
        gnutls_datum_t out{};
        must(gnutls_x509_crt_export2(certificate_, format, &out));
        Bytes octets(out.data, out.data + out.size);
        gnutls_free(out.data);
        return octets;
    }

    gnutls_x509_privkey_t key_ = nullptr;
    gnutls_x509_crt_t certificate_ = nullptr;
};

// One DNS subtree permitted or excluded, for CertificateTerms::also.
inline std::function<void(gnutls_x509_crt_t)> dns_constraint(const std::string& base, bool permitted) {
    return [base, permitted](gnutls_x509_crt_t certificate) {
        gnutls_x509_name_constraints_t constraints;
        must(gnutls_x509_name_constraints_init(&constraints));
        std::string text = base;
        const gnutls_datum_t name{reinterpret_cast<unsigned char*>(text.data()), static_cast<unsigned>(text.size())};
        must(permitted ? gnutls_x509_name_constraints_add_permitted(constraints, GNUTLS_SAN_DNSNAME, &name)
                       : gnutls_x509_name_constraints_add_excluded(constraints, GNUTLS_SAN_DNSNAME, &name));
        must(gnutls_x509_crt_set_name_constraints(certificate, constraints, 1));
        gnutls_x509_name_constraints_deinit(constraints);
    };
}

}  // namespace postern::test
