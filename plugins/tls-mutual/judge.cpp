#include <postern/revocation_pool.hpp>
#include <tls-mutual/judge.hpp>
#include <tls-mutual/judging.hpp>
#include <tls-mutual/trust_scopes.hpp>

namespace postern::tls_mutual {

// Changes whenever what judgements rest on changes: both parts only grow.
std::uint64_t Judge::epoch() const {
    if (auto* pooled = host_->role<PooledRevocationChecker>()) return pooled->pool_epoch() + learned_.epoch();
    auto* checker = host_->role<RevocationChecker>();
    return (checker ? checker->epoch() : 0) + learned_.epoch();
}

void Judge::fetch_by(FetchRules rules) {
    std::lock_guard lock(mutex_);
    rules_ = std::move(rules);
}

void Judge::remember_in(const std::string& folder) { learned_.keep_in(folder, host_->now(), learned_problem(*host_)); }

Pending<Judgement> Judge::judge_and_learn(JudgeRequest request) {
    FetchRules rules;
    {
        std::lock_guard lock(mutex_);
        rules = rules_;
    }
    return judge(std::move(request), std::move(rules));
}

Outcome<Ref<TrustScopes>> Judge::load_scopes(const std::vector<TrustScopeFiles>& wanted) {
    return Scopes::load(wanted, system_store_);
}

Pending<Judgement> Judge::judge(JudgeRequest request, std::optional<FetchRules> rules) {
    const auto* scopes = static_cast<const Scopes*>(request.scopes.get());
    const auto* scope = scopes ? scopes->find(request.scope) : nullptr;
    if (!scope)
        return Failure{"plugin-failed", "the trust scope \"" + request.scope + "\" does not exist in this generation"};
    const auto before = epoch();
    // What failed for want of an issuer is not the last word of whoever may fetch one.
    if (auto known = cache_.find(request, before); known && (!rules || known->standing == Standing::valid))
        return std::move(*known);
    auto judging = make_ref<Judging>(*host_, std::move(request), *scope);
    judging->learn(learned_, std::move(rules));
    judging->when_done([this, before](const JudgeRequest& asked, const Judgement& judgement) {
        // A list that came meanwhile may say otherwise: the next question is answered from it.
        if (epoch() == before) cache_.keep(asked, before, judgement);
    });
    return judging->begin();
}

}  // namespace postern::tls_mutual
