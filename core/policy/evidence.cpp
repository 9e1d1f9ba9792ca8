#include <algorithm>
#include <array>
#include <policy/evidence.hpp>

namespace postern::policy {

namespace {

template <class T>
std::vector<T> common(const std::vector<T>& a, const std::vector<T>& b) {
    if (a.empty()) return b;
    if (b.empty()) return a;
    std::vector<T> both;
    for (const auto& one : a)
        if (std::find(b.begin(), b.end(), one) != b.end()) both.push_back(one);
    // Nothing that satisfies both: a demand nobody meets, not a demand that vanished.
    if (both.empty()) both.push_back("(no issuer or name satisfies every policy)");
    return both;
}

bool is_revocation(std::string_view token) {
    static constexpr std::array tokens{"revoked",       "on-hold",          "crl-unreachable",   "crl-stale",
                                       "no-crl-source", "crl-unverifiable", "revocation-pending"};
    return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

Fault transport_fault(const Requirement& requirement, const Evidence& evidence) {
    if (!evidence.missing_role.empty())
        return {"role-missing", "cannot be verified: the plugin " + evidence.missing_role + " is not loaded here"};
    if (evidence.failed) return evidence.failed;
    if (!evidence.connector_secured && requirement.needs_mutual())
        return {"connector-not-secured", "is accepted only over mutual TLS, which this connector does not do"};
    if (evidence.tls) return {};
    const bool offered_untried =
        evidence.starttls_offered && !evidence.starttls_tried && !evidence.handshake_failed_lately;
    const std::string only =
        std::string("is accepted only over ") + (requirement.needs_mutual() ? "mutual TLS" : "TLS");
    if (offered_untried) return {"starttls-required", only};
    return {"tls-unavailable", only + ", and no TLS session could be made with you lately"};
}

Fault chain_fault(const Requirement& requirement, const Evidence& evidence) {
    if (evidence.tls->peer_chain.empty() && !evidence.certificate_asked)
        return {"tls-unavailable",
                "needs your certificate, which was not asked for after a handshake with you broke; try again"};
    if (evidence.tls->peer_chain.empty())
        return {"no-certificate", "is accepted only with its certificate, and none was presented"};
    if (evidence.outbound && !evidence.own_certificate && requirement.partner.mutual_outbound)
        return {"peer-did-not-ask", "did not ask for our certificate"};
    if (!evidence.judgement) return {"plugin-failed", "could not be judged: no answer about its certificate chain"};
    if (evidence.judgement->standing != Standing::valid && !is_revocation(evidence.judgement->reason)) {
        const auto& reason = evidence.judgement->reason;
        return {reason.empty() ? "plugin-failed" : reason,
                "presented a certificate that does not hold: " + evidence.judgement->sentence};
    }
    return {};
}

bool holds_one(const std::vector<std::string>& wanted, const std::vector<std::string>& have, bool part) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& want) {
        return std::any_of(have.begin(), have.end(), [&](const std::string& one) {
            return part ? one.find(want) != std::string::npos : one == want;
        });
    });
}

Fault demand_fault(const Demand& demand, const Evidence& evidence) {
    if (demand.minimum != TlsVersion::unknown && evidence.tls->version < demand.minimum)
        return {"tls-too-old", "must use TLS 1.3; this session has " + evidence.tls->protocol};
    std::vector<std::string> issuers, names;
    if (evidence.judgement)
        for (const auto& certificate : evidence.judgement->path) issuers.push_back(certificate.issuer);
    if (!demand.issuers.empty() && !holds_one(demand.issuers, issuers, true))
        return {"issuer-not-accepted", "presented a certificate of an issuer that its policy here does not name"};
    if (!evidence.tls->peer_chain.empty()) names = evidence.tls->peer_chain.front().dns_names;
    if (!demand.names.empty() && !holds_one(demand.names, names, false))
        return {"name-mismatch", "presented a certificate without any of the names that its policy here demands"};
    if (demand.purpose == Purpose::client && evidence.judgement && evidence.judgement->held != Purpose::client)
        return {"wrong-purpose", "presented a certificate that is not for clients (clientAuth)"};
    return {};
}

Fault revocation_fault(const Requirement& requirement, const Evidence& evidence) {
    const auto& judgement = *evidence.judgement;
    if (judgement.standing == Standing::valid) {
        // The judge answers to what it was asked; the core asks again whether that was enough.
        using enum RevocationStanding;
        if (requirement.partner.revocation != RevocationMode::hard || judgement.revocation == good ||
            judgement.revocation == short_lived)
            return {};
        if ((judgement.revocation == no_source || judgement.revocation == not_checked) &&
            requirement.partner.revocation_source == RevocationSource::if_present)
            return {};
        return {"crl-unverifiable", "presented a certificate whose revocation is not known"};
    }
    return {judgement.reason, "presented a certificate whose revocation does not clear it: " + judgement.sentence};
}

Fault first_fault(const Requirement& requirement, const Evidence& evidence) {
    if (auto fault = transport_fault(requirement, evidence)) return fault;
    if (requirement.needs_mutual()) {
        if (auto fault = chain_fault(requirement, evidence)) return fault;
        if (!evidence.name) return {"role-missing", "cannot be verified: the plugin name-matching gave no answer"};
        if (!evidence.name->speaks)
            return {"name-mismatch", "is not named by the certificate presented: " + evidence.name->sentence};
    }
    if (auto fault = demand_fault(requirement.demand, evidence)) return fault;
    if (requirement.needs_mutual()) return revocation_fault(requirement, evidence);
    return {};
}

bool covers(ExceptionKind kind, const Fault& fault) {
    switch (kind) {
        case ExceptionKind::no_tls:
            return fault.token == "starttls-required" || fault.token == "tls-unavailable" ||
                   fault.token == "connector-not-secured" || fault.token == "starttls-not-offered";
        case ExceptionKind::any_certificate:
            return fault.token == "no-certificate" || fault.token == "unknown-root" || fault.token == "expired" ||
                   fault.token == "incomplete-chain" || fault.token == "not-yet-valid" || fault.token == "weak" ||
                   fault.token == "broken-constraint" || fault.token == "wrong-purpose" ||
                   fault.token == "too-much-work";
        case ExceptionKind::any_name:
            return fault.token == "name-mismatch";
        case ExceptionKind::no_revocation:
            // What is known to be revoked is not "revocation we could not check".
            return fault.token.starts_with("crl-") || fault.token == "revocation-pending" ||
                   fault.token == "no-crl-source";
    }
    return false;
}

std::string exception_for(const Partner& partner, const Fault& fault, Time now) {
    if (partner.report_only_until && now < *partner.report_only_until && fault.token != "plugin-failed")
        return "report_only";
    for (const auto& exception : partner.exceptions)
        if (now < exception.until && covers(exception.allow, fault)) return "exception: " + exception.reason;
    return {};
}

// An exception forgives one fault; what would have been found behind it must hold or be forgiven too.
Evidence without(const Fault& fault, Evidence evidence) {
    if (is_revocation(fault.token) && evidence.judgement) {
        evidence.judgement->standing = Standing::valid;
        evidence.judgement->revocation = RevocationStanding::good;
    } else if (fault.token == "name-mismatch") {
        evidence.name = NameEvidence{true, {}, {}};
    } else if (evidence.judgement) {
        evidence.judgement->standing = Standing::valid;
        evidence.judgement->revocation = RevocationStanding::good;  // of a chain nobody vouches for: without meaning
    }
    return evidence;
}

bool ends_judging(const Fault& fault) {
    return covers(ExceptionKind::no_tls, fault) || fault.token == "no-certificate";
}

}  // namespace

Demand strictest(const Demand& a, const Demand& b) {
    Demand both;
    both.tls = a.tls || b.tls;
    both.mutual = a.mutual || b.mutual;
    both.minimum = std::max(a.minimum, b.minimum);
    both.issuers = common(a.issuers, b.issuers);
    both.names = common(a.names, b.names);
    both.purpose = a.purpose == Purpose::unstated ? b.purpose : a.purpose;
    return both;
}

static std::string without_semicolons(std::string_view text) {
    std::string clean;
    for (const char c : text) {
        if (c == '%' || c == ';') clean += c == '%' ? "%25" : "%3b";
        else clean += c;
    }
    return clean;
}

static std::string with_semicolons(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto escape = text.substr(i, 3);
        if (escape == "%25" || escape == "%3b") {
            plain += escape == "%25" ? '%' : ';';
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

std::string to_text(const Requirement& requirement) {
    std::string text;
    if (requirement.needs_mutual()) text = "mutual";
    else if (requirement.needs_tls()) text = "tls";
    if (requirement.demand.minimum == TlsVersion::tls13) text += ";tls1.3";
    for (const auto& issuer : requirement.demand.issuers) text += ";issuer=" + without_semicolons(issuer);
    for (const auto& name : requirement.demand.names) text += ";name=" + without_semicolons(name);
    if (requirement.demand.purpose == Purpose::client) text += ";client";
    return text;
}

Demand demand_of(std::string_view text) {
    Demand demand;
    while (!text.empty()) {
        const auto end = text.find(';');
        const auto word = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        if (word == "tls") demand.tls = true;
        else if (word == "tls1.3") demand.minimum = TlsVersion::tls13;
        else if (word.starts_with("issuer=")) demand.issuers.push_back(with_semicolons(word.substr(7)));
        else if (word.starts_with("name=")) demand.names.push_back(with_semicolons(word.substr(5)));
        else if (word == "client") demand.purpose = Purpose::client;
        else demand.mutual = true;
    }
    return demand;
}

Outcome weigh(const Requirement& requirement, const Evidence& evidence, Time now) {
    Outcome outcome;
    outcome.revocation = "none";
    if (!requirement.needs_tls() && !evidence.failed) {
        outcome.passes = true;
        return outcome;
    }
    Evidence left = evidence;
    for (int forgiven = 0;; ++forgiven) {
        auto fault = first_fault(requirement, left);
        if (!fault) break;
        if (!outcome.fault) outcome.fault = fault;
        auto exception = forgiven < 4 ? exception_for(requirement.partner, fault, now) : std::string();
        if (exception.empty()) {
            outcome.fault = fault;
            return outcome;
        }
        outcome.by_exception = true;
        outcome.exception = exception;
        if (ends_judging(fault)) break;
        left = without(fault, std::move(left));
    }
    outcome.passes = true;
    if (!requirement.needs_mutual() || outcome.by_exception || !evidence.judgement) return outcome;
    const auto standing = evidence.judgement->revocation;
    if (evidence.name) outcome.client_name = evidence.name->matched;
    if (standing == RevocationStanding::good) outcome.revocation = "good";
    if (standing == RevocationStanding::short_lived) outcome.revocation = "short-lived";
    outcome.domain_secured = requirement.listed && outcome.revocation != "none" && evidence.own_certificate;
    outcome.by_exception = requirement.listed && !outcome.domain_secured;
    if (outcome.by_exception) outcome.exception = "revocation is not known to be good";
    return outcome;
}

}  // namespace postern::policy
