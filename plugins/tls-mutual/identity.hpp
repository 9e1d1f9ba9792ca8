// Our own chains and private keys, ready for TLS. A key never leaves the objects made here.
//
// An Identity is one certificate, or two that stand for each other (ECDSA before RSA): a server shows the one that the
// client can check, a client the one that the server can. It knows GnuTLS, and nothing of sessions; engine.hpp uses it.
// Start at `make_identity`; `load_identity` is the same from two PEM files. Every refusal names the file, what is wrong
// with it and what to do.
#pragma once

#include <functional>
#include <postern/pending.hpp>
#include <postern/tls.hpp>
#include <tls-mutual/handles.hpp>

namespace postern::tls_mutual {

// Of a chain that is sent, its leaf included.
inline constexpr unsigned most_certificates = 16;

// What one certificate's part is made of, wherever that lies.
struct IdentityParts {
    std::string chain_label, key_label;  // files or token objects, for messages
    std::vector<Bytes> chain;            // DER, leaf first
    // Called twice: GnuTLS takes over the one that a server's credentials get. A status below 0 is the failure.
    std::function<PrivateKeyHandle(int& status)> open_key;
    bool in_token = false;  // each signature waits for a PKCS#11 token
};

// One certificate with its key. Certificates and key are never freed by GnuTLS.
struct IdentityPair {
    CertificateFacts facts;
    std::vector<Bytes> chain;
    std::vector<gnutls_pcert_st> certificates;
    PrivateKeyHandle key;
    bool in_token = false;

    IdentityPair() = default;
    IdentityPair(IdentityPair&&) = default;
    IdentityPair(const IdentityPair&) = delete;
    IdentityPair& operator=(const IdentityPair&) = delete;
    IdentityPair& operator=(IdentityPair&&) = delete;
    ~IdentityPair();
    gnutls_pk_algorithm_t algorithm() const;
};

class Identity final : public TlsIdentity {
public:
    const CertificateFacts& certificate() const override { return pairs_.front().facts; }
    const std::vector<Bytes>& chain() const override { return pairs_.front().chain; }

    // For a server: GnuTLS picks certificate and signature by what the client offers. Shared by sessions of all
    // workers.
    gnutls_certificate_credentials_t server_credentials() const { return server_.get(); }
    // For a client: the first that a server taking these algorithms can check; the first of all where it says nothing.
    const IdentityPair& for_server(const gnutls_pk_algorithm_t* algorithms, int count) const;
    // Which of ours has this leaf; null for none.
    const IdentityPair* with_leaf(BytesView der) const;
    bool waits_for_token() const;
    // SHA-256 of every leaf: another set of certificates is another identity.
    std::string leaves() const;
    std::size_t place_of(const IdentityPair& pair) const { return static_cast<std::size_t>(&pair - pairs_.data()); }
    const IdentityPair* at(std::size_t place) const { return place < pairs_.size() ? &pairs_[place] : nullptr; }

private:
    friend class IdentityMaker;
    std::vector<IdentityPair> pairs_;
    CredentialsHandle server_;
};

// At least one; the one to prefer first. Failure token: "no-own-certificate".
Outcome<Ref<Identity>> make_identity(const std::vector<IdentityParts>&);
// Blocks on files.
Outcome<Ref<TlsIdentity>> load_identity(const TlsIdentityFiles&);

// Lower-case hex of the SHA-256 of a key's SubjectPublicKeyInfo: what CertificateFacts calls key_sha256.
std::string key_digest(gnutls_pubkey_t key);
// Key octets as PEM (PKCS#8 or traditional) or DER of the first of them; an encrypted one is refused instead of asking.
PrivateKeyHandle import_key(BytesView pem, int& status);

}  // namespace postern::tls_mutual
