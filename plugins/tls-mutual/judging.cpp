#include <algorithm>
#include <postern/revocation_pool.hpp>
#include <postern/signer_hints.hpp>
#include <tls-mutual/judging.hpp>
#include <tls-mutual/verdicts.hpp>

namespace postern::tls_mutual {

// Valid paths whose revocation is looked at: a partner has two while its CA changes roots, never dozens.
static constexpr unsigned most_paths = 8;
// Certificates that a signer of lists is looked for among.
static constexpr std::size_t most_in_pool = 200;

Judging::Judging(Host& host, JudgeRequest request, const TrustScope& scope)
    : host_(host), request_(std::move(request)), scope_(scope) {}

Pending<Judgement> Judging::begin() {
    auto pending = answer_.pending();
    if (request_.chain.empty()) {
        answer_.give(invalid("no-certificate", "no certificate was presented"));
        return pending;
    }
    auto leaf = x509::Certificate::read(request_.chain.front());
    if (!leaf) {
        answer_.give(invalid("broken-constraint", "the certificate cannot be read: " + leaf.failure.text));
        return pending;
    }
    leaf_.emplace(std::move(*leaf));
    // What the peer sent and we cannot read is of no use on any path; a path without it may be good.
    for (std::size_t i = 1; i < request_.chain.size(); ++i)
        if (auto certificate = x509::Certificate::read(request_.chain[i])) sent_.add(std::move(*certificate));
    if (learned_)
        for (auto& one : learned_->of(request_.scope)) fetched_.add(std::move(one));
    search();
    return pending;
}

void Judging::learn(LearnedIssuers& learned, std::optional<FetchRules> rules) {
    learned_ = &learned;
    if (rules) issuers_.emplace(host_, std::move(*rules));
}

void Judging::search() {
    const x509::PathTerms terms{request_.at, request_.purpose, request_.profile};
    const x509::PathSearch::Pools pools{&sent_, &scope_.intermediates, &fetched_};
    search_.emplace(*leaf_, scope_.anchors(), pools, terms);
    try_next_path();
}

// Where no path reached an anchor: one more URL of the certificate that it ended at, else of any below it.
bool Judging::fetch_missing() {
    const auto& fault = search_->fault();
    if (!issuers_ || (fault.reason != "unknown-root" && fault.reason != "incomplete-chain")) return false;
    const auto& walked = search_->faulty_path();
    std::string url;
    for (auto one = walked.rbegin(); one != walked.rend() && url.empty(); ++one) url = issuers_->next_url(**one);
    if (url.empty()) return false;
    issuers_->fetch(url, [self = Ref<Judging>(this)](std::vector<x509::Certificate> found) {
        self->take_issuers(std::move(found));
    });
    return true;
}

// Who signed a list may be missing like any issuer; the list says where he lies. What comes stands beside the path,
// where the checker looks for signers.
bool Judging::fetch_signer(const x509::Path& path) {
    auto* hints = issuers_ ? host_.role<SignerHints>() : nullptr;
    if (!hints) return false;
    const auto url = issuers_->next_of(hints->signer_urls(question_about(path).path));
    if (url.empty()) return false;
    issuers_->fetch(url, [self = Ref<Judging>(this), path](std::vector<x509::Certificate> found) {
        for (auto& one : found) self->signers_.push_back(std::move(one));
        self->ask(path);
    });
    return true;
}

void Judging::take_issuers(std::vector<x509::Certificate> found) {
    for (auto& one : found) fetched_.add(std::move(one));
    paths_ = 0;
    search();
}

// Of those who were fetched for a list the ones who may sign some, by a path to the same root: what the checker
// demands.
std::vector<const x509::Certificate*> Judging::needed_signers() const {
    std::vector<const x509::Certificate*> needed;
    if (signers_.empty()) return needed;
    const auto root = x509::Certificate::read(best_->path.back().der);
    x509::CertificateIndex anchor, beside;
    if (root) anchor.add(*root);
    for (const auto& one : signers_) beside.add(one);
    const x509::PathTerms terms{request_.at, Purpose::unstated, request_.profile};
    for (const auto& one : signers_) {
        if (!one.key_usage || !one.may(x509::KeyUse::crl_sign)) continue;
        x509::PathSearch search(one, {&anchor}, {&sent_, &scope_.intermediates, &fetched_, &beside}, terms);
        if (search.next()) needed.push_back(&one);
    }
    return needed;
}

// Only what a valid path needed, and what was not here otherwise.
void Judging::keep_learned() {
    if (!issuers_ || best_->standing != Standing::valid) return;
    auto needed = needed_signers();
    for (const auto& fact : best_->path)
        if (const auto* one = fetched_.holds(fact.der)) needed.push_back(one);
    bool fresh = false;
    for (const auto* one : needed) {
        if (!learned_->keep(request_.scope, *one)) continue;
        fresh = true;
        host_.log(Severity::info, "issuer-learned",
                  x509::shown(*one) + " was fetched and serves " +
                      (request_.scope.empty() ? "everybody without roots of their own" : request_.scope) +
                      " as an intermediate from now on");
    }
    if (fresh) host_.offload([host = &host_, learned = learned_] { learned->write(learned_problem(*host)); });
}

LearnedIssuers::Tell learned_problem(Host& host) {
    return [&host](const std::string& text) { host.log(Severity::warning, "issuers-not-kept", text); };
}

void Judging::try_next_path() {
    auto path = ++paths_ <= most_paths ? search_->next() : std::nullopt;
    if (!path) return finish();
    if (request_.revocation == RevocationMode::off) {
        best_ = valid(*path, nullptr);
        return finish();
    }
    ask(std::move(*path));
}

RevocationRequest Judging::question_about(const x509::Path& path) const {
    RevocationRequest question;
    for (const auto* certificate : path.certificates) {
        const auto der = certificate->der();
        question.path.emplace_back(der.begin(), der.end());
    }
    question.staple = request_.staple;
    question.source = request_.revocation_source;
    question.grace = request_.crl_grace;
    question.may_fetch = request_.may_fetch;
    question.at = request_.at;
    question.explicit_crls = request_.explicit_crls;
    question.only_explicit_crls = request_.only_explicit_crls;
    question.profile = request_.profile;
    return question;
}

// Signers of lists stand among what the peer sent and, of what is known here, under the names of this path's issuers
// and of the CRL issuers that its certificates name; their own issuers with them.
std::vector<Bytes> Judging::pool(const x509::Path& path) const {
    std::vector<Bytes> pool(request_.chain.begin() + 1, request_.chain.end());
    std::vector<const x509::Name*> names;
    const auto add = [&names](const x509::Name& name) {
        if (std::ranges::none_of(names, [&](const auto* one) { return *one == name; })) names.push_back(&name);
    };
    for (const auto* certificate : path.certificates) {
        add(certificate->issuer);
        for (const auto& point : certificate->crl_points)
            for (const auto& issuer : point.crl_issuer)
                if (issuer.directory) add(*issuer.directory);
    }
    const auto take = [&](const x509::Certificate& one) {
        if (pool.size() == most_in_pool) return;
        const auto der = one.der();
        pool.emplace_back(der.begin(), der.end());
        add(one.issuer);
    };
    for (const auto& one : signers_) take(one);
    for (std::size_t i = 0; i < names.size(); ++i)
        for (const auto* index : {&scope_.intermediates, &fetched_})
            for (const auto* one : index->named(*names[i])) take(*one);
    return pool;
}

void Judging::ask(x509::Path path) {
    auto question = question_about(path);
    std::optional<Pending<Revocations>> asked;
    if (auto* pooled = host_.role<PooledRevocationChecker>())
        asked.emplace(pooled->check_with_pool({std::move(question), pool(path)}));
    else if (auto* checker = host_.role<RevocationChecker>()) asked.emplace(checker->check(std::move(question)));
    else return take(path, Failure{"role-missing", "the plugin crl is not loaded"});
    auto pending = std::make_shared<Pending<Revocations>>(std::move(*asked));
    pending->on_ready(
        [self = Ref<Judging>(this), pending, path = std::move(path)] { self->take(path, pending->take()); });
}

void Judging::take(const x509::Path& path, Outcome<Revocations> answers) {
    auto judgement = weigh_revocation(path, answers, request_.revocation);
    if (judgement.reason == "crl-unverifiable" && fetch_signer(path)) return;
    // valid before undecided before invalid: one good path suffices, and what may yet be good is worth another try.
    if (!best_ || judgement.standing == Standing::valid || best_->standing == Standing::invalid)
        best_ = std::move(judgement);
    best_->standing == Standing::valid ? finish() : try_next_path();
}

void Judging::give(Judgement judgement) {
    if (done_) done_(request_, judgement);
    answer_.give(std::move(judgement));
}

void Judging::finish() {
    if (best_) {
        keep_learned();
        return give(std::move(*best_));
    }
    if (fetch_missing()) return;
    auto judgement = invalid(search_->fault().reason, search_->fault().sentence);
    if (issuers_ && !issuers_->problems().empty())
        judgement.sentence += "; its issuer could not be fetched: " + issuers_->problems();
    describe(search_->faulty_path(), judgement);
    judgement.findings.push_back(
        {search_->fault().certificate, search_->fault().reason, false, "", search_->fault().sentence});
    give(std::move(judgement));
}

}  // namespace postern::tls_mutual
