// Named sets of anchors and local intermediates of one configuration generation. A root named in a partner's block
// stands in that partner's scope alone and so never speaks for anybody else. Ten thousand partners name few files: each
// is read once, and scopes of the same files share what was made of them.
#pragma once

#include <map>
#include <memory>
#include <postern/trust.hpp>
#include <x509/certificate_index.hpp>

namespace postern::tls_mutual {

struct TrustScope {
    x509::CertificateIndex own;                            // anchors from files
    std::shared_ptr<const x509::CertificateIndex> system;  // null: this scope does not trust it
    x509::CertificateIndex intermediates;

    std::vector<const x509::CertificateIndex*> anchors() const {
        std::vector<const x509::CertificateIndex*> pools{&own};
        if (system) pools.push_back(system.get());
        return pools;
    }
};

class Scopes : public TrustScopes {
public:
    // Failure: every unreadable file with its fault. `system_store`: PEM bundle; a certificate in it that does not
    // decode is left out, since the administrator did not choose it.
    static Outcome<Ref<TrustScopes>> load(const std::vector<TrustScopeFiles>& wanted, const std::string& system_store);
    const TrustScope* find(std::string_view name) const;
    // A number of its own for each load: what was judged under one set says nothing under the next.
    std::uint64_t generation() const { return generation_; }

private:
    static std::uint64_t next_generation();
    const std::uint64_t generation_ = next_generation();
    std::map<std::string, std::shared_ptr<const TrustScope>, std::less<>> scopes_;
};

inline constexpr auto debian_system_store = "/etc/ssl/certs/ca-certificates.crt";

}  // namespace postern::tls_mutual
