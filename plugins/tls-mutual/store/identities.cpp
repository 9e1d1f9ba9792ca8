#include <tls-mutual/store/identities.hpp>
#include <tls-mutual/store/making.hpp>
#include <tls-mutual/store/token.hpp>

namespace postern::tls_mutual {
namespace {

Outcome<IdentityParts> parts_of(const CertificateStore& store, const StoredCertificate& stored) {
    const auto& uri = stored.about.token_key;
    if (!uri.empty()) {
        const auto open_there = [uri](int& status) { return open_token_key(uri, status); };
        return IdentityParts{stored.file, stored.file + " (" + uri + ")", stored.chain, open_there, true};
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
