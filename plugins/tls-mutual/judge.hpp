// Roles ChainJudge and LearningJudge: the only one who says valid, invalid or undecided. Reads the chain, lets
// x509::PathSearch find a valid path in the trust scope that was asked for by name, then has the RevocationChecker look
// at that one path; where it is not cleared, another path may be. What was settled a moment ago is answered from
// memory. Runs on the plugin's lane and blocks for nobody: it waits by continuation.
#pragma once

#include <postern/host.hpp>
#include <postern/learning_judge.hpp>
#include <string>
#include <tls-mutual/judgement_cache.hpp>
#include <tls-mutual/learned_issuers.hpp>
#include <tls-mutual/learning.hpp>

namespace postern::tls_mutual {

class Judge : public ChainJudge, public LearningJudge {
public:
    explicit Judge(std::string system_store) : system_store_(std::move(system_store)) {}
    // Before any question; who is asked for the RevocationChecker.
    void use(Host& host) { host_ = &host; }

    Outcome<Ref<TrustScopes>> load_scopes(const std::vector<TrustScopeFiles>& wanted) override;
    Pending<Judgement> judge(JudgeRequest request) override { return judge(std::move(request), std::nullopt); }
    Pending<Judgement> judge_and_learn(JudgeRequest request) override;
    // What fetching of missing issuers keeps to.
    void fetch_by(FetchRules rules);
    // The daemon's: what it learns outlives it.
    void remember_in(const std::string& folder);

private:
    Pending<Judgement> judge(JudgeRequest request, std::optional<FetchRules> rules);
    std::uint64_t epoch() const;

    std::string system_store_;
    Host* host_ = nullptr;
    JudgementCache cache_;
    LearnedIssuers learned_;
    std::mutex mutex_;
    FetchRules rules_;
};

}  // namespace postern::tls_mutual
