// Owners of GnuTLS objects: each frees itself. Nothing here decides anything.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs12.h>
#include <gnutls/pkcs7.h>
#include <gnutls/x509.h>

#include <memory>
#include <postern/types.hpp>

namespace postern::tls_mutual {

template <auto Free>
struct Release {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
template <class Pointer, auto Free>
using Owner = std::unique_ptr<std::remove_pointer_t<Pointer>, Release<Free>>;

using CertificateHandle = Owner<gnutls_x509_crt_t, gnutls_x509_crt_deinit>;
using PrivateKeyHandle = Owner<gnutls_privkey_t, gnutls_privkey_deinit>;
using RequestHandle = Owner<gnutls_x509_crq_t, gnutls_x509_crq_deinit>;
using SoftKeyHandle = Owner<gnutls_x509_privkey_t, gnutls_x509_privkey_deinit>;
using Pkcs12Handle = Owner<gnutls_pkcs12_t, gnutls_pkcs12_deinit>;
using Pkcs12BagHandle = Owner<gnutls_pkcs12_bag_t, gnutls_pkcs12_bag_deinit>;
using Pkcs7Handle = Owner<gnutls_pkcs7_t, gnutls_pkcs7_deinit>;
using PublicKeyHandle = Owner<gnutls_pubkey_t, gnutls_pubkey_deinit>;
using CredentialsHandle = Owner<gnutls_certificate_credentials_t, gnutls_certificate_free_credentials>;
using PriorityHandle = Owner<gnutls_priority_t, gnutls_priority_deinit>;
using SessionHandle = Owner<gnutls_session_t, gnutls_deinit>;

// Memory that GnuTLS allocated for us.
struct OwnedDatum {
    gnutls_datum_t datum{nullptr, 0};
    OwnedDatum() = default;
    OwnedDatum(const OwnedDatum&) = delete;
    OwnedDatum& operator=(const OwnedDatum&) = delete;
    ~OwnedDatum() { gnutls_free(datum.data); }
    BytesView view() const { return {datum.data, datum.size}; }
};

inline gnutls_datum_t borrowed(BytesView bytes) {
    return {const_cast<unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())};
}

}  // namespace postern::tls_mutual
