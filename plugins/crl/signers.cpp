#include <algorithm>
#include <crl/signers.hpp>

namespace postern::crl {

// More certificates than this under one name is an attack on our time, not a CA.
static constexpr std::size_t most_candidates = 16;
static constexpr x509::SearchLimits limits{20, 20, 500};

// Of a CA of the path an absent keyUsage allows everything. A leaf, and who stands beside the path, must state it: a
// name alone makes nobody a signer of lists.
static bool says_so(const x509::Certificate& certificate) {
    return certificate.key_usage && certificate.may(x509::KeyUse::crl_sign);
}

Signers::Signers(std::span<const x509::Certificate> path, const x509::CertificateIndex& pool, Time at, Profile profile)
    : path_(path), pool_(pool), terms_{at, Purpose::unstated, profile} {
    if (path_.empty()) return;
    anchor_.add(path_.back());
    for (std::size_t i = 1; i + 1 < path_.size(); ++i) between_.add(path_[i]);
}

bool Signers::in_judged_path(const x509::Certificate& certificate) const {
    return std::ranges::any_of(path_, [&](const auto& one) { return x509::equal(one.der(), certificate.der()); });
}

const std::vector<Signer>& Signers::named(const x509::Name& issuer) {
    const auto known = found_.find(issuer.key());
    return known != found_.end() ? known->second : found_.emplace(issuer.key(), find(issuer)).first->second;
}

std::vector<Signer> Signers::find(const x509::Name& issuer) const {
    std::vector<Signer> found;
    for (std::size_t i = 0; i < path_.size(); ++i) {
        if (!(path_[i].subject == issuer) || (i == 0 && !says_so(path_[i]))) continue;
        auto& signer = found.emplace_back();
        signer.of_judged_path = true;
        for (std::size_t above = i; above < path_.size(); ++above) signer.path.push_back(&path_[above]);
    }
    std::size_t tried = 0;
    for (const auto* candidate : pool_.named(issuer)) {
        if (!says_so(*candidate) || in_judged_path(*candidate)) continue;
        if (++tried > most_candidates) break;
        x509::PathSearch search(*candidate, {&anchor_}, {&between_, &pool_}, terms_, limits);
        if (auto path = search.next()) found.push_back({std::move(path->certificates), false});
    }
    return found;
}

}  // namespace postern::crl
