// One question to the judge under way: path by path until one is cleared. Kept alive by the continuation that it hands
// to the RevocationChecker; touched by one thread at a time.
#pragma once

#include <postern/host.hpp>
#include <tls-mutual/learned_issuers.hpp>
#include <tls-mutual/learning.hpp>
#include <tls-mutual/trust_scopes.hpp>
#include <x509/path_search.hpp>

namespace postern::tls_mutual {

// What cannot be remembered is told of in the log.
LearnedIssuers::Tell learned_problem(Host& host);

class Judging : public Counted {
public:
    // request.scopes keeps `scope` alive.
    Judging(Host& host, JudgeRequest request, const TrustScope& scope);
    // Told of what is answered, before whoever asked; once, before begin().
    using Done = std::function<void(const JudgeRequest& request, const Judgement& judgement)>;
    void when_done(Done done) { done_ = std::move(done); }
    // What was learned before counts as a local intermediate; with `rules`, what is missing may be fetched too.
    void learn(LearnedIssuers& learned, std::optional<FetchRules> rules);
    Pending<Judgement> begin();

private:
    using Revocations = std::vector<CertificateRevocation>;
    void try_next_path();
    RevocationRequest question_about(const x509::Path& path) const;
    std::vector<Bytes> pool(const x509::Path& path) const;
    void ask(x509::Path path);
    void take(const x509::Path& path, Outcome<Revocations> answers);
    void search();
    bool fetch_missing();
    bool fetch_signer(const x509::Path& path);
    void take_issuers(std::vector<x509::Certificate> found);
    void keep_learned();
    std::vector<const x509::Certificate*> needed_signers() const;
    void finish();
    void give(Judgement judgement);

    Host& host_;
    JudgeRequest request_;
    const TrustScope& scope_;
    x509::CertificateIndex sent_, fetched_;
    std::vector<x509::Certificate> signers_;  // fetched because a list was signed by somebody unknown
    LearnedIssuers* learned_ = nullptr;
    std::optional<IssuerFetch> issuers_;
    std::optional<x509::Certificate> leaf_;
    std::optional<x509::PathSearch> search_;
    std::optional<Judgement> best_;  // of the paths whose revocation was looked at
    unsigned paths_ = 0;
    Done done_;
    Answer<Judgement> answer_ = Answer<Judgement>::make();
};

}  // namespace postern::tls_mutual
