#include <algorithm>
#include <net/await.hpp>
#include <net/deciding.hpp>
#include <net/inbound_policy.hpp>
#include <net/partner_certificates.hpp>
#include <net/views.hpp>

namespace postern::net {

namespace {

Verdict stricter(Verdict a, Verdict b) { return static_cast<int>(a.kind) >= static_cast<int>(b.kind) ? a : b; }

std::string subject(const SessionFacts& session, const std::string& domain) {
    return "session " + session.id + (domain.empty() ? "" : "; domain " + domain);
}

Verdict from_reply(Reply reply) {
    return {reply.code >= 500 ? VerdictKind::reject : VerdictKind::defer, std::move(reply)};
}

}  // namespace

awaitable<void> InboundPolicy::judged(const SessionFacts& session, const policy::Requirement& requirement,
                                      const std::string& domain, policy::Evidence& evidence) {
    const auto* checker = services_.plugins.revocation();
    const auto epoch = checker ? checker->epoch() : 0;
    const auto now = std::chrono::system_clock::now();
    if (!evidence.tls || !requirement.needs_mutual() ||
        !missing_role(services_, *session.generation, requirement).empty()) {
        co_await judge_peer(services_, session.generation, requirement, transaction_.entry, domain, evidence);
        co_return;
    }
    const std::string entry = transaction_.entry;
    const RecentJudgements::Question question{session.generation->number, entry, domain,
                                              requirement.partner,        epoch, *evidence.tls};
    if (worker_.judgements.answer(question, now, evidence)) co_return;
    co_await judge_peer(services_, session.generation, requirement, entry, domain, evidence);
    worker_.judgements.keep(question, now, evidence);
}

// The verdict is that of deciders about the judged peer; what the core says of it is verdict_on()'s.
awaitable<Verdict> InboundPolicy::hold_against(const SessionFacts& session, const smtp::ServerSession& machine,
                                               std::string domain, policy::Requirement requirement) {
    policy::Evidence evidence;
    const auto& connector = *session.connector;
    evidence.connector_secured = connector.domain_secure_enabled && connector.auth_tls;
    evidence.tls = session.tls;
    evidence.starttls_offered = session.starttls_offered;
    evidence.starttls_tried = session.starttls_tried;
    evidence.handshake_failed_lately = services_.handshakes.failed_lately(session.remote_address);
    evidence.certificate_asked = session.certificate_requested;
    co_await judged(session, requirement, domain, evidence);
    transaction_.outcome = policy::weigh(requirement, evidence, std::chrono::system_clock::now());
    const auto text = "session " + session.id + " " + judged_text(transaction_.outcome, evidence, domain);
    log_.decision(text);
    services_.log.write(transaction_.outcome.passes ? Severity::info : Severity::warning,
                        transaction_.outcome.passes ? "judged" : "mail-refused",
                        text + " from " + session.remote_address);
    tell_of_certificate(services_, {transaction_.entry, domain, connector.name, {}}, evidence, transaction_.outcome);
    if (!listened_to(services_, worker_, *session.generation, Event::peer_judged)) co_return Verdict::proceed();
    const auto& outcome = transaction_.outcome;
    const SessionView session_view(session, machine.helo());
    const EnvelopeView envelope_view(machine.transaction());
    policy::AskedQuestion question(Event::peer_judged, &session_view, &envelope_view, transaction_.entry, domain);
    question.with("standing", outcome.passes ? (outcome.by_exception ? "exception" : "passes") : "refused")
        .with("reason", outcome.fault.token)
        .with("sentence", outcome.fault.sentence)
        .with("client_name", outcome.client_name)
        .with("revocation", outcome.revocation)
        .with("host", {});
    const auto asked = co_await ask(services_, worker_, session.generation, question, subject(session, domain));
    for (const auto& effect : asked.merged.effects) {
        const auto noted = "evidence " + effect.name + "=" + effect.value + " for " + domain;
        log_.decision(noted);
        services_.log.info("judged", "session " + session.id + " " + noted);
    }
    co_return said(asked, session, domain);
}

Verdict InboundPolicy::verdict_on(const SessionFacts& session, const std::string& domain) {
    const auto& outcome = transaction_.outcome;
    const auto listed = transaction_.entry.empty() ? domain : transaction_.entry;
    if (!transaction_.entry.empty()) services_.handshakes.sent_for_listed(session.remote_address);
    if (outcome.passes) {
        if (outcome.by_exception)
            services_.log.warning("exception-used", listed + ": " + outcome.exception + ", session " + session.id);
        return Verdict::proceed();
    }
    services_.counters.add("postern_domain_secured_inbound_failures_total",
                           labels({{"domain", transaction_.counted_as()}, {"reason", outcome.fault.token}}));
    if (outcome.fault.token == "connector-not-secured")
        services_.alarms.raise(
            "connector-not-secured", session.connector->name,
            "mail of " + domain + " came to a receive connector without domain_secure_enabled and tls");
    // The next handshake from there is tried with our request again.
    if (outcome.fault.token == "tls-unavailable") services_.handshakes.forget(session.remote_address);
    const auto& partner = session.generation->settings->partner(listed);
    return from_reply(policy::reply_to(outcome.fault, partner, domain, session.id));
}

awaitable<void> InboundPolicy::mark_null_sender(const SessionFacts& session, const smtp::ServerSession& machine) {
    const std::string helo(machine.helo());
    if (!session.tls || session.tls->peer_chain.empty() || helo.empty()) co_return;
    const auto& settings = *session.generation->settings;
    auto* matcher = services_.plugins.names();
    std::vector<std::string> spoken_for;
    for (const auto& entry : settings.receive_list.entries())
        if (matcher && matcher
                           ->speaks_for(session.tls->peer_chain.front(), policy::entry_domain(entry),
                                        settings.partner(entry).name_rule)
                           .speaks)
            spoken_for.push_back(entry);
    if (spoken_for.size() != 1) co_return;
    const std::string domain(policy::entry_domain(spoken_for.front()));
    const auto dot = helo.find('.');
    if (helo != domain && (dot == std::string::npos || helo.substr(dot + 1) != domain)) co_return;
    transaction_.entry = spoken_for.front();
    auto floor = floor_for(settings, transaction_.entry);
    (void)co_await hold_against(session, machine, domain, std::move(floor));
    // Accepted without requirement: what does not hold only leaves the mark away.
    if (!transaction_.outcome.domain_secured) transaction_ = {};
}

awaitable<Verdict> InboundPolicy::mail(const SessionFacts& session, const smtp::ServerSession& machine) {
    transaction_ = {};
    const auto& settings = *session.generation->settings;
    const auto& sender = machine.transaction().sender;
    const auto now = std::chrono::system_clock::now();
    transaction_.trusted = trusted_server(settings, session.tls, now);
    const auto& groups = session.connector->permission_groups;
    if (!transaction_.trusted && !groups.contains("anonymous") && !groups.contains("partners"))
        co_return Verdict::reject("this connector takes mail from trusted servers only", "5.7.1");
    if (services_.spool.health() == queue::SpoolHealth::full)
        co_return Verdict::defer("storage is full, try again later", "4.3.1", 452);
    if (services_.spool.health() == queue::SpoolHealth::failing)
        co_return Verdict::defer("storage is failing, try again later", "4.3.0", 451);
    const std::string domain = sender.domain;
    const bool own_sender = !transaction_.trusted && settings.accepted_domains.contains(domain);
    transaction_.own_sender_tagged = own_sender && session.connector->own_senders == config::OwnSenders::tag;
    if (own_sender && session.connector->own_senders == config::OwnSenders::reject)
        co_return Verdict::reject(domain + " is ours: its mail is sent from inside, not from " + session.remote_address,
                                  "5.7.1");
    if (sender.empty) {
        if (!transaction_.trusted) co_await mark_null_sender(session, machine);
    } else if (!transaction_.trusted) {
        transaction_.entry = settings.receive_list.entry_for(domain);
    }
    // A mark is no demand: who bounces to us is asked for nothing.
    const auto demanding = sender.empty ? std::string() : transaction_.entry;
    auto requirement = floor_for(settings, demanding);
    Verdict verdict;
    if (listened_to(services_, worker_, *session.generation, Event::mail) || session.policy_failed(demanding)) {
        const SessionView session_view(session, machine.helo());
        const EnvelopeView envelope_view(machine.transaction());
        const policy::AskedQuestion question(Event::mail, &session_view, &envelope_view, demanding, domain);
        const auto asked = co_await ask(services_, worker_, session.generation, question, subject(session, domain));
        if (session.policy_failed(demanding)) co_return undecided(session, domain);
        verdict = said(asked, session, domain);
        const auto& demand = asked.merged.demand;
        if (demand && !sender.empty) requirement.demand = policy::strictest(requirement.demand, *demand);
        requirement.floor_replaced = requirement.partner.enforcement_script && asked.replaces_floor;
    }
    if (verdict.kind != VerdictKind::proceed) co_return verdict;
    if (sender.empty || !requirement.needs_tls()) {
        transaction_.outcome.passes |= !sender.empty;
        co_return verdict;
    }
    verdict = co_await hold_against(session, machine, domain, std::move(requirement));
    co_return stricter(verdict_on(session, domain), verdict);
}

// What failed and matters here is answered 451, and counted as any other reason.
Verdict InboundPolicy::undecided(const SessionFacts& session, const std::string& domain) {
    services_.counters.add("postern_domain_secured_inbound_failures_total",
                           labels({{"domain", transaction_.counted_as()}, {"reason", "plugin-failed"}}));
    return policy_failed(domain, session.id);
}

Verdict InboundPolicy::said(const Asked& asked, const SessionFacts& session, const std::string& domain) {
    if (asked.failed()) log_.decision("policy failed: " + asked.error);
    if (asked.defers(!transaction_.entry.empty())) return undecided(session, domain);
    return asked.merged.verdict;
}

awaitable<Asked> InboundPolicy::ask_about(Event event, const SessionFacts& session, const smtp::ServerSession& machine,
                                          std::vector<Detail> details, std::string_view header) {
    const SessionView session_view(session, machine.helo());
    const EnvelopeView envelope_view(machine.transaction());
    const bool in_transaction = policy::find_event(event)->envelope;
    const std::string domain = in_transaction ? machine.transaction().sender.domain : std::string();
    const std::string entry = in_transaction ? transaction_.entry : std::string();
    policy::AskedQuestion question(event, &session_view, in_transaction ? &envelope_view : nullptr, entry, domain);
    for (auto& one : details) question.with(one.name, std::move(one.value));
    question.with_header(header);
    co_return co_await ask(services_, worker_, session.generation, question, subject(session, domain));
}

awaitable<std::string> InboundPolicy::outbound_requirement(const SessionFacts& session,
                                                           const smtp::ServerSession& machine,
                                                           std::string domain) const {
    const auto& settings = *session.generation->settings;
    if (settings.accepted_domains.contains(domain)) co_return std::string();
    const std::string entry(settings.send_list.entry_for(domain));
    auto requirement = floor_for(settings, entry);
    if (listened_to(services_, worker_, *session.generation, Event::outbound_requirement)) {
        const SessionView session_view(session, machine.helo());
        const EnvelopeView envelope_view(machine.transaction());
        const policy::AskedQuestion question(Event::outbound_requirement, &session_view, &envelope_view, entry, domain);
        const auto asked = co_await ask(services_, worker_, session.generation, question, subject(session, domain));
        const auto& demand = asked.merged.demand;
        if (demand) requirement.demand = policy::strictest(requirement.demand, *demand);
        const bool replaced = requirement.partner.enforcement_script && asked.partner_spoke && asked.replaces_floor;
        requirement.floor_replaced = replaced && !asked.failed();
    }
    co_return policy::to_text(requirement);
}

static bool knows(const config::AcceptedDomain& domain, const std::string& local_part) {
    if (domain.recipients == config::RecipientsFrom::any) return true;
    std::string lower = local_part;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return lower == "postmaster" || domain.known.contains(lower);
}

Verdict InboundPolicy::recipient(const SessionFacts& session, const mail::Path& path, bool& unknown) const {
    const auto& settings = *session.generation->settings;
    unknown = false;
    if (path.domain.empty()) return Verdict::proceed();  // <postmaster>
    const auto found = settings.accepted_domains.find(path.domain);
    if (found == settings.accepted_domains.end()) {
        if (transaction_.relay()) return Verdict::proceed();
        return Verdict::reject("relaying to " + path.domain + " is not permitted from here", "5.7.1");
    }
    // A second routing hidden in the local part would make us an open relay by way of the hub.
    const bool routed = path.local_part.find_first_of("%!") != std::string::npos ||
                        (path.local_part.starts_with('"') && path.local_part.find('@') != std::string::npos);
    if (routed && !transaction_.relay())
        return Verdict::reject("routing inside the local part is not accepted", "5.1.3");
    if (knows(found->second, path.local_part)) return Verdict::proceed();
    unknown = true;
    return Verdict::reject("no such recipient at " + path.domain, "5.1.1");
}

}  // namespace postern::net
