#include <limits>
#include <tls-mutual/store/own_watch.hpp>

namespace postern::tls_mutual {

void OwnWatch::look(const std::vector<WatchedCertificate>& all) {
    note(all);
    end_gauges(all);
    validate(all);
    speak_of_ends(all);
}

std::optional<OwnWatch::Standing> OwnWatch::standing(const std::string& sha256) const {
    const std::lock_guard held(mutex_);
    const auto known = standings_.find(sha256);
    return known == standings_.end() ? std::nullopt : std::optional(known->second);
}

// Alarms about certificates that are removed or disabled end.
void OwnWatch::note(const std::vector<WatchedCertificate>& all) {
    std::vector<std::string> ended;
    {
        const std::lock_guard held(mutex_);
        watched_.clear();
        for (const auto& one : all) {
            if (one.leaf.self_issued) standings_[one.leaf.sha256] = {Validation::unknown, "self-signed"};
            else if (one.in_use) watched_.insert(one.leaf.sha256);
        }
        std::erase_if(alarmed_, [&](const std::string& sha256) {
            if (watched_.contains(sha256)) return false;
            ended.push_back(sha256);
            return true;
        });
    }
    for (const auto& sha256 : ended) host_->alarm("own-certificate", sha256.substr(0, 16), {});
}

// A time stamp of what was removed would alarm whoever watches for ends.
void OwnWatch::end_gauges(const std::vector<WatchedCertificate>& all) {
    const std::lock_guard held(mutex_);
    std::set<std::string> there;
    for (const auto& one : all) there.insert(one.leaf.sha256);
    for (const auto& gone : measured_)
        if (!there.contains(gone))
            host_->gauge("postern_own_certificate_not_after_seconds", "sha256=\"" + gone + "\"",
                         std::numeric_limits<double>::quiet_NaN());
    measured_ = std::move(there);
}

// By way of the host: in the daemon the judge is its lane's alone.
void OwnWatch::validate(const std::vector<WatchedCertificate>& all) {
    auto* laned = host_->role<ChainJudge>();
    auto& judge = laned ? *laned : judge_;
    Ref<TrustScopes> scopes;
    for (const auto& one : all) {
        if (one.leaf.self_issued || !one.in_use) continue;
        if (!scopes) {
            auto trust = host_->configuration().trust;
            trust.name.clear();
            auto loaded = judge.load_scopes({trust});
            if (!loaded) return host_->log(Severity::error, "certificate-store", loaded.failure.text);
            scopes = *loaded;
        }
        JudgeRequest request;
        request.chain = one.chain;
        request.scopes = scopes;
        request.may_fetch = true;
        request.at = host_->now();
        const auto pending = std::make_shared<Pending<Judgement>>(judge.judge(std::move(request)));
        pending->on_ready(
            [this, pending, sha256 = one.leaf.sha256, title = one.title] { judged(sha256, title, pending->take()); });
    }
}

void OwnWatch::judged(const std::string& sha256, const std::string& title, Outcome<Judgement> outcome) {
    OwnWatch::Standing standing;
    if (!outcome) standing.why = outcome.failure.text;
    else if (outcome->standing == postern::Standing::valid) standing.validation = Validation::good;
    else standing.why = outcome->sentence;
    const bool failed = outcome && outcome->standing == postern::Standing::invalid;
    if (failed) standing.validation = Validation::failed;
    bool mended = false;
    {
        const std::lock_guard held(mutex_);
        if (!watched_.contains(sha256)) return;  // it went while it was judged
        standings_[sha256] = standing;
        mended = failed ? !alarmed_.insert(sha256).second : alarmed_.erase(sha256) > 0;
    }
    changed_();
    const auto subject = sha256.substr(0, 16);
    if (failed) host_->alarm("own-certificate", subject, "our certificate " + title + " is not valid: " + standing.why);
    else if (mended) host_->alarm("own-certificate", subject, {});
}

void OwnWatch::speak_of_ends(const std::vector<WatchedCertificate>& all) {
    for (const auto& one : all) {
        const auto ends = std::chrono::duration<double>(one.leaf.not_after.time_since_epoch()).count();
        host_->gauge("postern_own_certificate_not_after_seconds", "sha256=\"" + one.leaf.sha256 + "\"", ends);
        if (!one.in_use || one.renews_itself) continue;
        std::optional<int> step;
        {
            const std::lock_guard held(mutex_);
            step = told_.next(one.leaf.sha256, {one.leaf.not_before, one.leaf.not_after}, host_->now());
        }
        if (!step) continue;
        host_->log(Severity::warning, "certificate-ending",
                   "our certificate " + one.title + " " + expiry_text(*step, one.leaf.not_after) + "; " + one.renewal);
    }
}

}  // namespace postern::tls_mutual
