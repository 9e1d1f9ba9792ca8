#include <algorithm>
#include <tls-mutual/store/choice.hpp>
#include <tls-mutual/store/making.hpp>
#include <tls-mutual/store/text.hpp>
#include <tuple>

namespace postern::tls_mutual {
namespace {

// The lower the better.
struct Rank {
    int cover, validation, self_signed, other_purpose;
    Time ends;
    auto quality() const { return std::tuple(cover, validation, self_signed, other_purpose); }
};

Rank rank_of(const Candidate& one, const CertificateWish& wish) {
    const auto& leaf = one.certificate->leaf;
    const bool right = wish.use == CertificateUse::client ? leaf.client_purpose : leaf.server_purpose;
    return {covers(leaf, wish.fqdn) == Covers::exactly ? 0 : 1, static_cast<int>(one.validation),
            one.certificate->self_signed() ? 1 : 0, right ? 0 : 1, leaf.not_after};
}

// Empty where it fits.
std::string hindrance(const Candidate& one, const CertificateWish& wish, Time now) {
    const auto& stored = *one.certificate;
    const auto& leaf = stored.leaf;
    if (!one.key_present) return "its key is in a token that does not answer";
    if (!stored.about.smtp)
        return "is not enabled: postern cert enable " + leaf.sha256.substr(0, 16) + " --services smtp";
    if (leaf.not_before > now) return "is not valid before " + utc_moment(leaf.not_before);
    if (leaf.not_after <= now) return "expired on " + utc_moment(leaf.not_after);
    if (wish.use == CertificateUse::server && !leaf.server_purpose) return "is not for servers (extKeyUsage)";
    // Partners that hold to the letter want clientAuth; those who take serverAuth in its place exist (and Postern is
    // one).
    if (wish.use == CertificateUse::client && stored.about.origin == Origin::automatic)
        return "was made by itself for opportunistic TLS, where a client needs none";
    if (wish.use == CertificateUse::client && !leaf.client_purpose && !leaf.server_purpose)
        return "is neither for clients nor for servers (extKeyUsage)";
    if (covers(leaf, wish.fqdn) == Covers::no) return "does not cover " + wish.fqdn;
    return {};
}

std::string behind(const Candidate& one, const Rank& mine, const Rank& first) {
    if (mine.cover != first.cover) return "covers the fqdn by a wildcard, the chosen one exactly";
    if (mine.validation != first.validation)
        return "its last validation is " + std::string(word(one.validation)) + (one.why.empty() ? "" : ": " + one.why);
    if (mine.self_signed != first.self_signed) return "is self-signed, the chosen one is issued by a CA";
    if (mine.other_purpose != first.other_purpose) return "lacks clientAuth, which some partners want";
    return mine.ends == first.ends ? "ends on the same day and comes later by thumbprint"
                                   : "ends earlier, on " + utc_day(one.certificate->leaf.not_after);
}

std::string praise(const Candidate& one, const CertificateWish& wish) {
    const auto& leaf = one.certificate->leaf;
    std::string text = covers(leaf, wish.fqdn) == Covers::exactly ? "covers " : "covers by wildcard ";
    text += wish.fqdn + ", validation " + std::string(word(one.validation));
    if (!one.why.empty()) text += " (" + one.why + ")";
    text += one.certificate->self_signed() ? ", self-signed" : ", issued by a CA";
    if (wish.use == CertificateUse::client && !leaf.client_purpose) text += ", without clientAuth";
    return text + ", ends " + utc_day(leaf.not_after);
}

std::vector<Ranked> pinned(const std::vector<Candidate>& all, const CertificateWish& wish) {
    std::vector<Ranked> ranked;
    for (const auto& one : all) {
        const bool it = one.certificate->leaf.sha256 == wish.sha256;
        const bool fits = it && one.key_present;
        ranked.push_back({&one, fits,
                          !it    ? "another one is pinned"
                          : fits ? "is pinned by its SHA-256"
                                 : "is pinned, and its token does not answer"});
    }
    std::ranges::stable_partition(ranked, &Ranked::fits);
    return ranked;
}

}  // namespace

std::string_view word(Validation validation) {
    constexpr std::string_view words[] = {"good", "unknown", "failed"};
    return words[static_cast<std::size_t>(validation)];
}

std::vector<std::string> names_of(const CertificateFacts& leaf) {
    return leaf.has_alternative_names ? leaf.dns_names : leaf.common_names;
}

Covers covers(const CertificateFacts& leaf, std::string_view host) {
    auto best = Covers::no;
    for (const auto& name : names_of(leaf)) best = std::max(best, covers(name, host));
    return best;
}

std::vector<Ranked> rank(const std::vector<Candidate>& all, const CertificateWish& wish, Time now) {
    if (!wish.sha256.empty()) return pinned(all, wish);
    std::vector<Ranked> ranked;
    for (const auto& one : all) {
        auto why = hindrance(one, wish, now);
        const bool fits = why.empty();
        ranked.push_back({&one, fits, std::move(why)});
    }
    std::ranges::stable_sort(ranked, [&](const Ranked& a, const Ranked& b) {
        if (a.fits != b.fits) return a.fits;
        if (!a.fits) return false;
        const auto left = rank_of(*a.candidate, wish), right = rank_of(*b.candidate, wish);
        if (left.quality() != right.quality()) return left.quality() < right.quality();
        if (left.ends != right.ends) return left.ends > right.ends;
        return a.candidate->certificate->leaf.sha256 < b.candidate->certificate->leaf.sha256;
    });
    for (auto& one : ranked) {
        if (!one.fits) break;
        one.reason = &one == &ranked.front() ? praise(*one.candidate, wish)
                                             : behind(*one.candidate, rank_of(*one.candidate, wish),
                                                      rank_of(*ranked.front().candidate, wish));
    }
    return ranked;
}

const Candidate* companion(const std::vector<Ranked>& ranked) {
    if (ranked.empty() || !ranked.front().fits) return nullptr;
    const auto& first = *ranked.front().candidate;
    const auto kind = [](const Candidate& one) { return key_text(one.certificate->leaf.der).substr(0, 3); };
    for (const auto& one : ranked) {
        if (!one.fits) break;
        const auto& other = *one.candidate;
        if (kind(other) != kind(first) && other.validation <= first.validation &&
            other.certificate->self_signed() == first.certificate->self_signed())
            return &other;
    }
    return nullptr;
}

}  // namespace postern::tls_mutual
