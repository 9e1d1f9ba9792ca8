#include <algorithm>
#include <x509/path_search.hpp>

namespace postern::x509 {
namespace {

// How much a fault tells: the higher, the nearer the path was to being good.
enum Rank : int {
    dead_end = 0,
    bad_signature = 1,
    weak_signature = 2,
    unfit_issuer = 3,
    complete_path = 4,
    too_much = 5
};

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
    : leaf_(&leaf),
      anchors_(std::move(anchors)),
      intermediates_(std::move(intermediates)),
      terms_(terms),
      limits_(limits) {
    measure(leaf.issuer);
    hopeless_ = distances_[leaf.issuer.key()] == unreachable;
    leaf_unfit_ = leaf_fault(leaf, terms_).has_value();
    push(leaf);
}

// Every name that can be reached from the leaf's issuer, and how far each is from an anchor. No key is looked at, so a
// mesh of cross-certificates costs its size here, and the search then walks straight.
void PathSearch::measure(const Name& from) {
    std::vector<const Name*> waiting{&from};
    std::vector<std::pair<const Name*, const Name*>> edges;  // subject, issuer
    distances_.emplace(from.key(), unreachable);
    while (!waiting.empty() && edges.size() < limits_.steps) {
        const auto& name = *waiting.back();
        waiting.pop_back();
        for (const auto* pool : anchors_)
            if (!pool->named(name).empty()) distances_[name.key()] = 1;
        for (const auto* pool : intermediates_)
            for (const auto* one : pool->named(name)) {
                edges.emplace_back(&one->subject, &one->issuer);
                if (distances_.emplace(one->issuer.key(), unreachable).second) waiting.push_back(&one->issuer);
            }
    }
    bool changed = true;
    for (std::size_t round = 0; changed && round < limits_.depth; ++round) {
        changed = false;
        for (const auto& [subject, issuer] : edges) {
            const auto above = distances_[issuer->key()];
            auto& here = distances_[subject->key()];
            if (above == unreachable || above + 1 >= here) continue;
            here = above + 1;
            changed = true;
        }
    }
}

std::size_t PathSearch::distance_of(const Certificate& issuer) const {
    const auto above = distances_.find(issuer.issuer.key());
    return above == distances_.end() || above->second == unreachable ? unreachable : above->second + 1;
}

bool PathSearch::in_path(const Certificate& certificate) const {
    return std::ranges::any_of(stack_, [&](const Step& step) {
        return step.certificate->subject == certificate.subject && equal(step.certificate->spki, certificate.spki);
    });
}

// A root that was sent along is no step below itself.
bool PathSearch::is_anchor(const Certificate& certificate) const {
    return std::ranges::any_of(anchors_, [&](const auto* pool) {
        return std::ranges::any_of(pool->named(certificate.subject),
                                   [&](const auto* anchor) { return equal(anchor->der(), certificate.der()); });
    });
}

std::vector<PathSearch::Candidate> PathSearch::issuers_of(const Certificate& certificate) const {
    std::vector<Candidate> found;
    for (const auto* pool : anchors_)
        for (const auto* anchor : pool->named(certificate.issuer))
            found.push_back({anchor, true, fit_of(*anchor, certificate, terms_.at), 1});
    for (const auto* pool : intermediates_)
        for (const auto* issuer : pool->named(certificate.issuer))
            if (!in_path(*issuer) && !is_anchor(*issuer))
                found.push_back({issuer, false, fit_of(*issuer, certificate, terms_.at), distance_of(*issuer)});
    std::ranges::stable_sort(found, [](const Candidate& left, const Candidate& right) {
        if (left.anchor != right.anchor) return left.anchor;
        const bool left_lost = left.distance == unreachable, right_lost = right.distance == unreachable;
        if (left_lost != right_lost) return right_lost;
        return left.fit != right.fit ? left.fit > right.fit : left.distance < right.distance;
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
    if (leaf_unfit_) stack_.clear();
    return std::nullopt;
}

void PathSearch::remember_unfit(PathFault fault, const Certificate& issuer) {
    fault.certificate = static_cast<std::uint32_t>(stack_.size());
    auto path = walked();
    path.push_back(&issuer);
    remember(unfit_issuer, std::move(fault), std::move(path));
}

bool PathSearch::worth_descending(const Candidate& candidate) {
    const auto& issuer = *candidate.certificate;
    if (hopeless_) return stack_.size() + 1 < limits_.depth;
    if (candidate.distance == unreachable) return false;
    if (stack_.size() + candidate.distance > limits_.depth) {
        remember_unfit(
            {"too-much-work",
             "the path over " + shown(issuer) + " is longer than " + std::to_string(limits_.depth) + " certificates",
             0},
            issuer);
        return false;
    }
    auto fault = intermediate_fault(issuer, terms_);
    if (fault) remember_unfit(std::move(*fault), issuer);
    return !fault;
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
        if (step.issuers.empty() && hopeless_) break;
        if (step.tried == step.issuers.size()) {
            stack_.pop_back();
            continue;
        }
        if (++steps_ > limits_.steps) exhausted_ = true;
        const auto candidate = step.issuers[step.tried++];
        if (exhausted_ || !signed_by(*step.certificate, *candidate.certificate)) continue;
        if (candidate.anchor) {
            if (auto path = ended_in(*candidate.certificate)) return path;
        } else if (worth_descending(candidate)) {
            push(*candidate.certificate);
        }
    }
    if (rank_ < 0)
        remember(dead_end,
                 {"unknown-root",
                  shown(*leaf_) +
                      " has no path to a root that is trusted here for this domain among the certificates at hand",
                  0},
                 {leaf_});
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
