#include <algorithm>
#include <string_view>
#include <tls-mutual/judgement_cache.hpp>
#include <tls-mutual/trust_scopes.hpp>

namespace postern::tls_mutual {
namespace {

std::uint64_t generation_of(const JudgeRequest& request) {
    const auto* scopes = static_cast<const Scopes*>(request.scopes.get());
    return scopes ? scopes->generation() : 0;
}

// Spreads, no more: what it finds is compared octet by octet. The leaf's signature stands at its end.
std::uint64_t hash_of(const JudgeRequest& request) {
    const auto& leaf = request.chain.front();
    const auto tail = std::min<std::size_t>(leaf.size(), 48);
    const std::string_view text(reinterpret_cast<const char*>(leaf.data()) + (leaf.size() - tail), tail);
    const auto mix = [](std::size_t seed, std::size_t value) { return seed * 0x9e3779b97f4a7c15u + value; };
    return mix(mix(mix(std::hash<std::string_view>{}(text), leaf.size()), request.chain.size()),
               std::hash<std::string_view>{}(request.scope));
}

bool same(const JudgeRequest& one, const JudgeRequest& other) {
    return one.purpose == other.purpose && one.revocation == other.revocation &&
           one.revocation_source == other.revocation_source && one.crl_grace == other.crl_grace &&
           one.may_fetch == other.may_fetch && one.profile == other.profile && one.scope == other.scope &&
           one.chain == other.chain && one.staple == other.staple;
}

bool may_be_kept(const JudgeRequest& request) {
    if (request.chain.empty() || request.only_explicit_crls || !request.explicit_crls.empty()) return false;
    std::size_t octets = request.staple.size();
    for (const auto& certificate : request.chain) octets += certificate.size();
    return octets <= JudgementCache::longest_chain;
}

// What time, a fetch or an operator may yet turn is asked again each time.
bool is_settled(const Judgement& judgement) {
    if (judgement.standing == Standing::invalid)
        return judgement.reason != "not-yet-valid" && judgement.reason != "plugin-failed";
    if (judgement.standing != Standing::valid) return false;
    return judgement.revocation == RevocationStanding::good ||
           judgement.revocation == RevocationStanding::short_lived ||
           judgement.revocation == RevocationStanding::not_checked;
}

}  // namespace

JudgementCache::Entries::iterator JudgementCache::look_up(std::uint64_t hash, const JudgeRequest& request,
                                                          std::uint64_t epoch) {
    const auto generation = generation_of(request);
    auto [at, end] = by_hash_.equal_range(hash);
    for (; at != end; ++at) {
        const auto entry = at->second;
        if (entry->epoch == epoch && entry->generation == generation && same(entry->request, request)) return entry;
    }
    return entries_.end();
}

void JudgementCache::drop(Entries::iterator entry) {
    auto [at, end] = by_hash_.equal_range(entry->hash);
    while (at != end && at->second != entry) ++at;
    if (at != end) by_hash_.erase(at);
    entries_.erase(entry);
}

std::optional<Judgement> JudgementCache::find(const JudgeRequest& request, std::uint64_t epoch) {
    if (!may_be_kept(request)) return std::nullopt;
    std::lock_guard lock(mutex_);
    const auto entry = look_up(hash_of(request), request, epoch);
    if (entry == entries_.end() || request.at < entry->since) return std::nullopt;
    if (request.at >= entry->until) {
        drop(entry);
        return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->judgement;
}

void JudgementCache::keep(const JudgeRequest& request, std::uint64_t epoch, const Judgement& judgement) {
    if (!may_be_kept(request) || !is_settled(judgement)) return;
    Entry fresh{hash_of(request), request, generation_of(request), epoch, judgement, request.at, request.at + longest};
    fresh.request.scopes = {};
    if (judgement.valid_until != Time{}) fresh.until = std::min(fresh.until, judgement.valid_until);
    if (fresh.until <= request.at) return;
    std::lock_guard lock(mutex_);
    if (const auto before = look_up(fresh.hash, request, epoch); before != entries_.end()) drop(before);
    entries_.push_front(std::move(fresh));
    by_hash_.emplace(entries_.front().hash, entries_.begin());
    if (entries_.size() > most_entries) drop(std::prev(entries_.end()));
}

std::size_t JudgementCache::size() const {
    std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace postern::tls_mutual
