#include <tls-mutual/judge.hpp>
#include <tls-mutual/judging.hpp>
#include <tls-mutual/trust_scopes.hpp>

namespace postern::tls_mutual {

Outcome<Ref<TrustScopes>> Judge::load_scopes(const std::vector<TrustScopeFiles>& wanted) {
    return Scopes::load(wanted, system_store_);
}

Pending<Judgement> Judge::judge(JudgeRequest request) {
    const auto* scopes = static_cast<const Scopes*>(request.scopes.get());
    const auto* scope = scopes ? scopes->find(request.scope) : nullptr;
    if (!scope)
        return Failure{"plugin-failed", "the trust scope \"" + request.scope + "\" does not exist in this generation"};
    auto judging = make_ref<Judging>(*host_, std::move(request), *scope);
    return judging->begin();
}

}  // namespace postern::tls_mutual
