#include <algorithm>
#include <net/await.hpp>
#include <net/judging.hpp>

namespace postern::net {

policy::Requirement floor_for(const config::Settings& settings, std::string_view entry) {
    policy::Requirement requirement;
    requirement.listed = !entry.empty();
    if (requirement.listed) requirement.partner = settings.partner(entry);
    return requirement;
}

std::string missing_role(const Services& services, const Generation& generation,
                         const policy::Requirement& requirement) {
    if (!generation.providers->tls || !generation.providers->judge) return "tls-mutual";
    if (!services.plugins.names()) return "name-matching";
    if (requirement.partner.revocation != RevocationMode::off && !services.plugins.revocation()) return "crl";
    return {};
}

static Outcome<NameEvidence> name_evidence(plugins::HeldMatcher& matcher, const CertificateFacts& leaf,
                                           std::string_view entry, std::string_view domain,
                                           const policy::Partner& partner) {
    auto evidence = matcher.evidence(leaf, domain, partner.name_rule);
    if (!evidence || evidence->speaks || !partner.speaks_for_base) return evidence;
    auto base = matcher.evidence(leaf, policy::entry_domain(entry), partner.name_rule);
    return !base || base->speaks ? base : evidence;
}

static bool any_name_allowed(const policy::Partner& partner, Time now) {
    return std::any_of(partner.exceptions.begin(), partner.exceptions.end(), [&](const policy::Exception& exception) {
        return exception.allow == policy::ExceptionKind::any_name && now < exception.until;
    });
}

static JudgeRequest request_for(const Generation& generation, const policy::Partner& partner, std::string_view entry,
                                const policy::Evidence& evidence, Time now) {
    JudgeRequest request;
    for (const auto& certificate : evidence.tls->peer_chain) request.chain.push_back(certificate.der);
    request.staple = evidence.tls->staple;
    request.scopes = generation.scopes;
    const auto trust = generation.settings->partner_trust.find(entry);
    const bool own_roots = trust != generation.settings->partner_trust.end() && !trust->second.roots.empty();
    request.scope = own_roots ? std::string(entry) : std::string();
    request.purpose = evidence.outbound ? Purpose::server : partner.purpose;
    request.revocation = partner.revocation;
    request.revocation_source = partner.revocation_source;
    request.crl_grace = partner.crl_grace;
    // Strangers' certificates make us fetch nothing: only one that names the partner does.
    request.may_fetch = evidence.name->speaks || any_name_allowed(partner, now);
    request.at = now;
    return request;
}

// All that name_evidence() and request_for() take from a partner and that decides about a good judgement.
bool same_terms(const policy::Partner& one, const policy::Partner& other) {
    return one.name_rule.kind == other.name_rule.kind && one.name_rule.names == other.name_rule.names &&
           one.name_rule.cn_fallback == other.name_rule.cn_fallback && one.speaks_for_base == other.speaks_for_base &&
           one.purpose == other.purpose && one.revocation == other.revocation &&
           one.revocation_source == other.revocation_source && one.crl_grace == other.crl_grace;
}

awaitable<void> judge_peer(const Services& services, std::shared_ptr<const Generation> generation,
                           const policy::Requirement& requirement, std::string entry, std::string domain,
                           policy::Evidence& evidence) {
    if (!requirement.needs_mutual()) co_return;
    evidence.missing_role = missing_role(services, *generation, requirement);
    if (!evidence.missing_role.empty() || !evidence.tls || evidence.tls->peer_chain.empty()) co_return;
    const auto now = std::chrono::system_clock::now();
    auto named =
        name_evidence(*services.plugins.names(), evidence.tls->peer_chain.front(), entry, domain, requirement.partner);
    if (!named) {
        evidence.failed = {"plugin-failed", "could not be matched to its name: " + named.failure.text};
        co_return;
    }
    evidence.name = std::move(*named);
    auto request = request_for(*generation, requirement.partner, entry, evidence, now);
    const auto& providers = *generation->providers;
    // Only of a server that we chose to connect to: a peer that connects to us sends us nowhere.
    const bool learn = evidence.outbound && requirement.partner.aia && request.may_fetch && providers.learning_judge;
    auto pending = learn ? providers.learning_judge->judge_and_learn(std::move(request))
                         : providers.judge->judge(std::move(request));
    auto judgement = co_await answer_of(std::move(pending), evidence_time, "revocation-pending");
    if (judgement) {
        evidence.judgement = std::move(*judgement);
    } else if (judgement.failure.token == "revocation-pending") {
        // Time ran out while a list was being fetched; the fetch goes on and the next try finds it.
        evidence.judgement.emplace();
        evidence.judgement->reason = "revocation-pending";
        evidence.judgement->sentence = "its revocation list is still being fetched";
    } else {
        evidence.failed = {"plugin-failed", "could not be judged: " + judgement.failure.text};
    }
}

const config::TrustedServer* trusted_server(const config::Settings& settings, const TlsFacts* tls, Time now) {
    if (!tls || tls->peer_chain.empty()) return nullptr;
    const auto& leaf = tls->peer_chain.front();
    if (now < leaf.not_before || now > leaf.not_after) return nullptr;
    for (const auto& server : settings.trusted_servers)
        for (const auto& pin : server.sha256)
            if (pin == leaf.sha256 || pin == leaf.key_sha256) return &server;
    return nullptr;
}

std::string judged_text(const policy::Outcome& outcome, const policy::Evidence& evidence, std::string_view domain) {
    std::string text(domain);
    if (evidence.tls && !evidence.tls->peer_chain.empty()) {
        const auto& leaf = evidence.tls->peer_chain.front();
        text += " certificate \"" + leaf.subject + "\" serial " + leaf.serial + " sha256 " + leaf.sha256;
        if (evidence.tls->resumed) text += " (TLS resumed)";
    }
    if (outcome.domain_secured)
        return text + " domain-secured by " + outcome.client_name + ", revocation " + outcome.revocation;
    if (outcome.passes && outcome.by_exception)
        return text + " passed by exception (" + outcome.exception + ")" +
               (outcome.fault ? " although " + outcome.fault.token + ": " + outcome.fault.sentence : "");
    if (outcome.passes) return text + " passed";
    return text + " " + outcome.fault.token + ": " + outcome.fault.sentence +
           "; next: " + std::string(policy::fault_row(outcome.fault.token).next_step);
}

}  // namespace postern::net
