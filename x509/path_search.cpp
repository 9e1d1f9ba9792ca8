#include <algorithm>
#include <x509/path_search.hpp>

namespace postern::x509 {
namespace {

// How much a fault tells: the higher, the nearer the path was to being good.
enum Rank : int { dead_end = 0, bad_signature = 1, weak_signature = 2, complete_path = 3, too_much = 4 };

int fit_of(const Certificate& issuer, const Certificate& certificate, Time at) {
    int fit = 0;
    if (certificate.authority_key && !certificate.authority_key->id.empty() && !issuer.subject_key_id.empty())
        fit += certificate.authority_key->id == issuer.subject_key_id ? 4 : -4;
    if (at >= issuer.not_before && at <= issuer.not_after) fit += 2;
    if (issuer.basic_constraints && issuer.basic_constraints->ca) fit += 1;
    return fit;
}

}  // namespace

PathSearch::PathSearch(const Certificate& leaf, Pools anchors, Pools intermediates, PathTerms terms,
                       SearchLimits limits)
    : anchors_(std::move(anchors)), intermediates_(std::move(intermediates)), terms_(terms), limits_(limits) {
    push(leaf);
}

bool PathSearch::in_path(const Certificate& certificate) const {
    return std::ranges::any_of(stack_, [&](const Step& step) {
        return step.certificate->subject == certificate.subject && equal(step.certificate->spki, certificate.spki);
    });
}

std::vector<PathSearch::Candidate> PathSearch::issuers_of(const Certificate& certificate) const {
    std::vector<Candidate> found;
    for (const auto* pool : anchors_)
        for (const auto* anchor : pool->named(certificate.issuer))
            found.push_back({anchor, true, fit_of(*anchor, certificate, terms_.at)});
    for (const auto* pool : intermediates_)
        for (const auto* issuer : pool->named(certificate.issuer))
            if (!in_path(*issuer)) found.push_back({issuer, false, fit_of(*issuer, certificate, terms_.at)});
    std::ranges::stable_sort(found, [](const Candidate& left, const Candidate& right) {
        return left.anchor != right.anchor ? left.anchor : left.fit > right.fit;
    });
    return found;
}

void PathSearch::push(const Certificate& certificate) {
    stack_.push_back({&certificate, {}, 0});  // first, so that it cannot be its own issuer
    stack_.back().issuers = issuers_of(certificate);
}

std::vector<const Certificate*> PathSearch::walked() const {
    std::vector<const Certificate*> path;
    for (const auto& step : stack_) path.push_back(step.certificate);
    return path;
}

void PathSearch::remember(int rank, PathFault fault, std::vector<const Certificate*> path) {
    if (rank <= rank_) return;
    rank_ = rank;
    fault_ = std::move(fault);
    faulty_path_ = std::move(path);
}

bool PathSearch::signed_by(const Certificate& certificate, const Certificate& issuer) {
    const auto key = std::make_pair(&certificate, text(issuer.spki));
    auto found = checked_.find(key);
    if (found == checked_.end()) {
        if (checked_.size() >= limits_.signatures) {
            exhausted_ = true;
            return false;
        }
        const auto standing = verify(issuer.spki, certificate.signature_algorithm, certificate.tbs,
                                     certificate.signature, terms_.profile);
        found = checked_.emplace(key, standing).first;
    }
    const auto depth = static_cast<std::uint32_t>(stack_.size() - 1);
    if (found->second == SignatureStanding::weak)
        remember(weak_signature,
                 {"weak", shown(certificate) + " is signed with an algorithm below what mail may use", depth},
                 walked());
    if (found->second == SignatureStanding::bad)
        remember(bad_signature,
                 {"unknown-root",
                  shown(certificate) + " names \"" + issuer.subject.text() +
                      "\" as its issuer, whose key here does not verify its signature",
                  depth},
                 walked());
    return found->second == SignatureStanding::good;
}

std::optional<Path> PathSearch::ended_in(const Certificate& anchor) {
    Path path{walked(), Purpose::unstated};
    path.certificates.push_back(&anchor);
    auto fault = validate(path, terms_);
    if (!fault) return path;
    remember(complete_path, std::move(*fault), std::move(path.certificates));
    return std::nullopt;
}

// Nobody here issued the last certificate. A certificate that points to its issuer's (AIA) has one that was not sent.
void PathSearch::note_dead_end(const Step& step) {
    const auto& last = *step.certificate;
    const auto depth = static_cast<std::uint32_t>(stack_.size() - 1);
    PathFault fault{"unknown-root", {}, depth};
    if (last.self_issued()) {
        fault.sentence = shown(last) + " is a root that is not trusted here for this domain";
    } else if (stack_.size() == 1 && !last.ca_issuer_urls.empty()) {
        fault.reason = "incomplete-chain";
        fault.sentence = shown(last) + " came without the certificate of its issuer \"" + last.issuer.text() +
                         "\", which is not known here either";
    } else {
        fault.sentence = "the issuer \"" + last.issuer.text() + "\" of " + shown(last) +
                         " is neither a root that is trusted here for this domain, nor was its certificate sent";
    }
    remember(dead_end, std::move(fault), walked());
}

std::optional<Path> PathSearch::next() {
    while (!stack_.empty() && !exhausted_) {
        auto& step = stack_.back();
        if (step.issuers.empty()) note_dead_end(step);
        if (step.tried == step.issuers.size()) {
            stack_.pop_back();
            continue;
        }
        if (++steps_ > limits_.steps) exhausted_ = true;
        const auto candidate = step.issuers[step.tried++];
        if (exhausted_ || !signed_by(*step.certificate, *candidate.certificate)) continue;
        if (candidate.anchor) {
            if (auto path = ended_in(*candidate.certificate)) return path;
        } else if (stack_.size() + 1 < limits_.depth) {
            push(*candidate.certificate);
        }
    }
    if (exhausted_)
        remember(too_much,
                 {"too-much-work",
                  "no path was found within " + std::to_string(limits_.signatures) +
                      " signature checks; the chain should be sent plainly, leaf to root",
                  0},
                 faulty_path_);
    return std::nullopt;
}

}  // namespace postern::x509
