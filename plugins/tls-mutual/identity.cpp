#include <algorithm>
#include <array>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/identity.hpp>
#include <tls-mutual/key_file.hpp>

namespace postern::tls_mutual {
namespace {

Failure fault(const std::string& file, const std::string& what) { return {"no-own-certificate", file + ": " + what}; }

Outcome<std::vector<Bytes>> read_chain(const std::string& file) {
    auto pem = read_guarded(file, Holds::no_secret);
    if (!pem) return pem.failure;
    gnutls_x509_crt_t* list = nullptr;
    unsigned count = 0;
    const auto datum = borrowed(pem->bytes);
    const int status = gnutls_x509_crt_list_import2(&list, &count, &datum, GNUTLS_X509_FMT_PEM, 0);
    if (status < 0)
        return fault(file, std::string("holds no readable PEM certificate (") + gnutls_strerror(status) +
                               "); put leaf and intermediates into it");
    const std::vector<CertificateHandle> certificates(list, list + count);
    gnutls_free(list);
    std::vector<Bytes> chain;
    for (const auto& certificate : certificates) {
        OwnedDatum der;
        if (gnutls_x509_crt_export2(certificate.get(), GNUTLS_X509_FMT_DER, &der.datum) != 0)
            return fault(file, "holds a certificate that cannot be used; ask its CA for a new one");
        const auto octets = der.view();
        chain.emplace_back(octets.begin(), octets.end());
    }
    return chain;
}

std::string unreadable_key(int status, const IdentityParts& parts) {
    if (status == GNUTLS_E_DECRYPTION_FAILED)
        return "the private key is encrypted; store it without a passphrase, mode 0640";
    if (parts.in_token) return std::string("the token's key cannot be used: ") + gnutls_strerror(status);
    return std::string("holds no readable PEM private key (") + gnutls_strerror(status) + "); name the key of " +
           parts.chain_label;
}

}  // namespace

std::string key_digest(gnutls_pubkey_t key) {
    std::array<unsigned char, 32> id{};
    auto size = id.size();
    if (gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id.data(), &size) != 0) return {};
    std::string text;
    for (const auto octet : id) {
        constexpr char digits[] = "0123456789abcdef";
        text += digits[octet >> 4];
        text += digits[octet & 15];
    }
    return text;
}

PrivateKeyHandle import_key(BytesView pem, int& status) {
    gnutls_privkey_t raw = nullptr;
    status = gnutls_privkey_init(&raw);
    if (status != 0) return {};
    PrivateKeyHandle key(raw);
    const auto datum = borrowed(pem);
    // GNUTLS_PKCS_PLAIN: an encrypted key is refused instead of asking somebody for a PIN.
    status = gnutls_privkey_import_x509_raw(raw, &datum, GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN);
    return key;
}

IdentityPair::~IdentityPair() {
    for (auto& certificate : certificates) gnutls_pcert_deinit(&certificate);
}

gnutls_pk_algorithm_t IdentityPair::algorithm() const {
    return static_cast<gnutls_pk_algorithm_t>(gnutls_privkey_get_pk_algorithm(key.get(), nullptr));
}

// Builds one Identity pair by pair, step by step; the first fault ends it.
class IdentityMaker {
public:
    Outcome<Ref<Identity>> make(const std::vector<IdentityParts>& all) {
        gnutls_certificate_credentials_t raw = nullptr;
        if (gnutls_certificate_allocate_credentials(&raw) != 0) return fault("certificate", "out of memory");
        identity_->server_.reset(raw);
        for (const auto& parts : all) {
            parts_ = &parts;
            pair_ = &identity_->pairs_.emplace_back();
            pair_->in_token = parts.in_token;
            for (auto step :
                 {&IdentityMaker::keep_chain, &IdentityMaker::open_key, &IdentityMaker::fit, &IdentityMaker::serve})
                if (auto failure = (this->*step)()) return *failure;
        }
        return identity_;
    }

private:
    std::optional<Failure> keep_chain() {
        const auto& file = parts_->chain_label;
        if (parts_->chain.empty()) return fault(file, "holds no certificate; put leaf and intermediates into it");
        if (parts_->chain.size() > most_certificates)
            return fault(file, "holds more than 16 certificates; keep the leaf and its intermediates");
        for (const auto& der : parts_->chain) {
            gnutls_pcert_st entry{};
            const auto datum = borrowed(der);
            if (gnutls_pcert_import_x509_raw(&entry, &datum, GNUTLS_X509_FMT_DER, 0) != 0)
                return fault(file, "holds a certificate that cannot be used; ask its CA for a new one");
            pair_->certificates.push_back(entry);
            auto facts = read_facts(der);
            if (!facts)
                return fault(file, "certificate " + std::to_string(pair_->certificates.size()) +
                                       " is not strict DER; partners would refuse it, ask its CA for a new one");
            if (pair_->chain.empty()) pair_->facts = std::move(*facts);
            pair_->chain.push_back(der);
        }
        return std::nullopt;
    }

    std::optional<Failure> open_key() {
        int status = 0;
        pair_->key = parts_->open_key(status);
        if (status >= 0) server_key_ = parts_->open_key(status);
        if (status < 0) return fault(parts_->key_label, unreadable_key(status, *parts_));
        return std::nullopt;
    }

    std::optional<Failure> fit() {
        if (parts_->in_token) return std::nullopt;  // proved by a signature where it was opened
        gnutls_pubkey_t raw = nullptr;
        if (gnutls_pubkey_init(&raw) != 0) return fault(parts_->key_label, "out of memory");
        const PublicKeyHandle ours(raw);
        if (gnutls_pubkey_import_privkey(raw, pair_->key.get(), 0, 0) != 0)
            return fault(parts_->key_label, "the private key is damaged; restore it from its backup");
        const auto wanted = key_digest(raw);
        for (std::size_t at = 0; at < pair_->certificates.size(); ++at) {
            if (wanted.empty() || key_digest(pair_->certificates[at].pubkey) != wanted) continue;
            if (at == 0) return std::nullopt;
            return fault(parts_->chain_label, "the certificate of " + parts_->key_label + " is number " +
                                                  std::to_string(at + 1) + " of the chain; put it first");
        }
        return fault(parts_->key_label, "is not the key of the certificate in " + parts_->chain_label +
                                            "; name the key that the certificate was requested with");
    }

    std::optional<Failure> serve() {
        const auto& chain = pair_->chain;
        // GnuTLS takes over the certificates and the key that it is given here, hence a second set of each.
        auto* certificates = static_cast<gnutls_pcert_st*>(gnutls_calloc(chain.size(), sizeof(gnutls_pcert_st)));
        if (!certificates) return fault(parts_->chain_label, "out of memory");
        for (std::size_t at = 0; at < chain.size(); ++at) {
            const auto der = borrowed(chain[at]);
            gnutls_pcert_import_x509_raw(&certificates[at], &der, GNUTLS_X509_FMT_DER, 0);
        }
        const int status = gnutls_certificate_set_key(identity_->server_.get(), nullptr, 0, certificates,
                                                      static_cast<int>(chain.size()), server_key_.get());
        if (status < 0) {
            for (std::size_t at = 0; at < chain.size(); ++at) gnutls_pcert_deinit(&certificates[at]);
            gnutls_free(certificates);
            return fault(parts_->key_label, std::string("cannot be used for TLS (") + gnutls_strerror(status) + ")");
        }
        gnutls_free(certificates);
        static_cast<void>(server_key_.release());
        return std::nullopt;
    }

    const IdentityParts* parts_ = nullptr;
    IdentityPair* pair_ = nullptr;
    Ref<Identity> identity_ = make_ref<Identity>();
    PrivateKeyHandle server_key_;
};

const IdentityPair& Identity::for_server(const gnutls_pk_algorithm_t* algorithms, int count) const {
    for (const auto& pair : pairs_)
        if (std::find(algorithms, algorithms + count, pair.algorithm()) != algorithms + count) return pair;
    return pairs_.front();
}

const IdentityPair* Identity::with_leaf(BytesView der) const {
    for (const auto& pair : pairs_)
        if (std::ranges::equal(pair.chain.front(), der)) return &pair;
    return nullptr;
}

std::string Identity::leaves() const {
    std::string all;
    for (const auto& pair : pairs_) all += pair.facts.sha256;
    return all;
}

bool Identity::waits_for_token() const {
    return std::any_of(pairs_.begin(), pairs_.end(), [](const auto& pair) { return pair.in_token; });
}

Outcome<Ref<Identity>> make_identity(const std::vector<IdentityParts>& parts) { return IdentityMaker().make(parts); }

Outcome<Ref<TlsIdentity>> load_identity(const TlsIdentityFiles& files) {
    auto chain = read_chain(files.chain_file);
    if (!chain) return chain.failure;
    if (chain->size() > most_certificates)
        return fault(files.chain_file, "holds more than 16 certificates; keep the leaf and its intermediates");
    const auto pem = read_guarded(files.key_file, Holds::key);
    if (!pem) return pem.failure;
    const auto open_key = [&pem](int& status) { return import_key(pem->bytes, status); };
    auto made = make_identity({{files.chain_file, files.key_file, std::move(*chain), open_key, false}});
    if (!made) return made.failure;
    return Ref<TlsIdentity>(*made);
}

}  // namespace postern::tls_mutual
