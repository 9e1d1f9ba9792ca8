#include <tls-mutual/store/identities.hpp>
#include <tls-mutual/store/making.hpp>
#include <tls-mutual/store/token_key.hpp>

namespace postern::tls_mutual {
namespace {

Outcome<IdentityParts> parts_of(const CertificateStore& store, const StoredCertificate& stored) {
    const auto& uri = stored.about.token_key;
    if (!uri.empty()) {
        // One for being a server, one for being a client. A token is asked with patience (token_key.hpp), so ahead.
        const auto keys = std::make_shared<std::vector<PrivateKeyHandle>>();
        for (int count = 0; count < 2; ++count) {
            auto key = open_signing_key(uri, stored.leaf.der);
            if (!key) return Failure{"no-own-certificate", stored.file + ": " + key.failure.text};
            keys->push_back(std::move(*key));
        }
        const auto hand_out = [keys](int& status) {
            status = keys->empty() ? GNUTLS_E_INTERNAL_ERROR : 0;
            PrivateKeyHandle key;
            if (keys->empty()) return key;
            key = std::move(keys->back());
            keys->pop_back();
            return key;
        };
        return IdentityParts{stored.file, stored.file + " (" + uri + ")", stored.chain, hand_out, true};
    }
    auto file = store.open(stored.file);
    if (!file) return file.failure;
    const auto pem = std::make_shared<Secret>(std::move(*file));
    const auto open_key = [pem](int& status) {
        const auto block = key_block(pem->text());
        return import_key({reinterpret_cast<const std::uint8_t*>(block.data()), block.size()}, status);
    };
    return IdentityParts{stored.file, stored.file, stored.chain, open_key, false};
}

}  // namespace

Outcome<Ref<Identity>> identity_of(const CertificateStore& store, const StoredCertificate& first,
                                   const StoredCertificate* companion) {
    // Whoever can check an elliptic curve is shown one: it costs a third, and RSA is there for the others.
    const bool rsa_first = companion && key_text(first.leaf.der).starts_with("RSA");
    std::vector<IdentityParts> all;
    for (const auto* one : {rsa_first ? companion : &first, rsa_first ? &first : companion}) {
        if (!one) continue;
        auto parts = parts_of(store, *one);
        if (!parts) return parts.failure;
        all.push_back(std::move(*parts));
    }
    return make_identity(all);
}

}  // namespace postern::tls_mutual
