#include <crl/known_list.hpp>

namespace postern::crl {

// More keys than this under one name is an attack on our memory, not a CA.
static constexpr std::size_t most_keys = 16;

bool KnownList::signed_by(const x509::Certificate& issuer, Profile profile) const {
    if (!(issuer.subject == list.issuer) || !issuer.may(x509::KeyUse::crl_sign)) return false;
    std::lock_guard lock(mutex_);
    for (const auto& one : tried_)
        if (one.profile == profile && x509::equal(one.spki, issuer.spki)) return one.good;
    const bool good = x509::verify(issuer.spki, list.signature_algorithm, list.tbs, list.signature, profile) ==
                      x509::SignatureStanding::good;
    if (tried_.size() < most_keys) tried_.push_back({Bytes(issuer.spki.begin(), issuer.spki.end()), profile, good});
    return good;
}

void KnownList::touch(Time at) const {
    // Two threads that both ask now may lose one of two stamps a moment apart: no harm.
    const auto stamp = at.time_since_epoch().count();
    if (touched_.load(std::memory_order_relaxed) < stamp) touched_.store(stamp, std::memory_order_relaxed);
}

bool older(const x509::CertificateList& one, const x509::CertificateList& than) {
    if (one.number && than.number) return x509::compare_numbers(*one.number, *than.number) < 0;
    return one.this_update < than.this_update;
}

}  // namespace postern::crl
