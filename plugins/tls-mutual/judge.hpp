// Role ChainJudge: the only one who says valid, invalid or undecided. Reads the chain, lets x509::PathSearch find a
// valid path in the trust scope that was asked for by name, then has the RevocationChecker look at that one path; where
// it is not cleared, another path may be. Runs on the plugin's lane and blocks for nobody: it waits by continuation.
#pragma once

#include <postern/host.hpp>
#include <string>

namespace postern::tls_mutual {

class Judge : public ChainJudge {
public:
    explicit Judge(std::string system_store) : system_store_(std::move(system_store)) {}
    // Before any question; who is asked for the RevocationChecker.
    void use(Host& host) { host_ = &host; }

    Outcome<Ref<TrustScopes>> load_scopes(const std::vector<TrustScopeFiles>& wanted) override;
    Pending<Judgement> judge(JudgeRequest request) override;

private:
    std::string system_store_;
    Host* host_ = nullptr;
};

}  // namespace postern::tls_mutual
