// Our own chain and private key, loaded from two PEM files. The key never leaves the objects made here.
//
// It knows files and GnuTLS, and nothing of sessions; engine.hpp uses it. `load_identity` is where to start: every
// refusal names the file, what is wrong with it and what to do.
#pragma once

#include <postern/pending.hpp>
#include <postern/tls.hpp>
#include <tls-mutual/handles.hpp>

namespace postern::tls_mutual {

class Identity final : public TlsIdentity {
public:
    Identity() = default;
    ~Identity() override;
    const CertificateFacts& certificate() const override { return facts_; }
    const std::vector<Bytes>& chain() const override { return chain_; }

    // For a server: GnuTLS picks the signature by what the client offers. Shared by sessions of all workers.
    gnutls_certificate_credentials_t server_credentials() const { return server_.get(); }
    // For a client: what the certificate callback hands out. Never freed by GnuTLS.
    const std::vector<gnutls_pcert_st>& certificates() const { return certificates_; }
    gnutls_privkey_t key() const { return key_.get(); }

private:
    friend class IdentityLoader;
    CertificateFacts facts_;
    std::vector<Bytes> chain_;
    std::vector<gnutls_pcert_st> certificates_;
    PrivateKeyHandle key_;
    CredentialsHandle server_;
};

// Blocks on files. Failure token: "no-own-certificate".
Outcome<Ref<TlsIdentity>> load_identity(const TlsIdentityFiles&);

}  // namespace postern::tls_mutual
