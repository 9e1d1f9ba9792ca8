#include <algorithm>
#include <tls-mutual/verdicts.hpp>

namespace postern::tls_mutual {
namespace {

// The higher, the worse: what is known to be bad before what is not known before what was waived.
int severity(RevocationStanding standing) {
    switch (standing) {
        case RevocationStanding::good:
            return 0;
        case RevocationStanding::short_lived:
            return 1;
        case RevocationStanding::not_checked:
            return 2;
        case RevocationStanding::no_source:
            return 3;
        case RevocationStanding::unknown:
            return 4;
        case RevocationStanding::unusable:
            return 5;
        case RevocationStanding::on_hold:
            return 6;
        case RevocationStanding::revoked:
            return 7;
    }
    return 5;  // nonsense is not good
}

Standing standing_of(RevocationStanding standing, RevocationMode mode) {
    switch (standing) {
        case RevocationStanding::good:
        case RevocationStanding::short_lived:
        case RevocationStanding::not_checked:
            return Standing::valid;
        case RevocationStanding::revoked:
        case RevocationStanding::on_hold:
            return Standing::invalid;
        default:
            return mode == RevocationMode::soft ? Standing::valid : Standing::undecided;
    }
}

void add_path_findings(const x509::Path& path, Judgement& judgement) {
    const auto& chain = path.certificates;
    for (std::uint32_t i = 0; i + 1 < chain.size(); ++i) {
        const bool anchored = i + 2 == chain.size();
        judgement.findings.push_back({i, "signature", true, anchored ? "anchor" : "intermediate",
                                      x509::shown(*chain[i]) + " is signed by " + x509::shown(*chain[i + 1])});
        judgement.findings.push_back({i, "constraints", true, "certificate", "dates, key, CA bits and names hold"});
    }
    if (path.held == Purpose::unstated)
        judgement.findings.push_back({0, "purpose", true, "", "not judged: no purpose was stated"});
    else
        judgement.findings.push_back(
            {0, "purpose", true, "certificate",
             path.held == Purpose::client ? "fit for a TLS client (clientAuth)" : "fit for a TLS server (serverAuth)"});
}

Judgement base(const x509::Path& path) {
    Judgement judgement;
    judgement.standing = Standing::valid;
    judgement.held = path.held;
    describe(path.certificates, judgement);
    judgement.valid_until = Time::max();
    for (std::size_t i = 0; i + 1 < path.certificates.size(); ++i)
        judgement.valid_until = std::min(judgement.valid_until, path.certificates[i]->not_after);
    add_path_findings(path, judgement);
    return judgement;
}

}  // namespace

void describe(const std::vector<const x509::Certificate*>& certificates, Judgement& judgement) {
    for (const auto* certificate : certificates) judgement.path.push_back(x509::facts(*certificate));
}

Judgement invalid(std::string reason, std::string sentence) {
    Judgement judgement;
    judgement.standing = Standing::invalid;
    judgement.reason = std::move(reason);
    judgement.sentence = std::move(sentence);
    return judgement;
}

Judgement valid(const x509::Path& path, const std::vector<CertificateRevocation>* answers) {
    auto judgement = base(path);
    judgement.sentence = x509::shown(*path.certificates.front()) + " is valid under the anchor " +
                         x509::shown(*path.certificates.back());
    if (!answers) {
        judgement.findings.push_back({0, "revocation", true, "", "not looked at: revocation is off"});
        return judgement;
    }
    judgement.revocation = RevocationStanding::good;
    for (std::uint32_t i = 0; i < answers->size(); ++i) {
        const auto& answer = (*answers)[i];
        if (severity(answer.standing) > severity(judgement.revocation)) judgement.revocation = answer.standing;
        if (answer.valid_until != Time{}) judgement.valid_until = std::min(judgement.valid_until, answer.valid_until);
        judgement.findings.push_back({i, "revocation",
                                      standing_of(answer.standing, RevocationMode::hard) == Standing::valid,
                                      answer.source, answer.sentence});
    }
    return judgement;
}

Judgement weigh_revocation(const x509::Path& path, const Outcome<std::vector<CertificateRevocation>>& answers,
                           RevocationMode mode) {
    if (!answers || answers->size() + 1 != path.certificates.size()) {
        auto judgement = valid(path, nullptr);
        judgement.findings.pop_back();
        judgement.standing = Standing::undecided;
        judgement.reason = answers ? "plugin-failed" : answers.failure.token;
        judgement.sentence = "revocation could not be looked up: " +
                             (answers ? "the plugin crl did not answer for every certificate" : answers.failure.text);
        judgement.revocation = RevocationStanding::unknown;
        return judgement;
    }
    auto judgement = valid(path, &*answers);
    const auto worst = std::ranges::max_element(
        *answers, {}, [](const CertificateRevocation& answer) { return severity(answer.standing); });
    if (worst == answers->end()) return judgement;
    judgement.standing = standing_of(worst->standing, mode);
    if (judgement.standing == Standing::valid) return judgement;
    judgement.reason = worst->reason.empty() ? "crl-unverifiable" : worst->reason;
    judgement.sentence = worst->sentence;
    return judgement;
}

}  // namespace postern::tls_mutual
