#include <algorithm>
#include <net/await.hpp>
#include <net/inbound_policy.hpp>

namespace postern::net {

namespace {

constexpr std::chrono::milliseconds decider_time{10000};

// The SDK's views over one session and its envelope; they live for one call.
struct SessionView : Session {
    SessionView(const SessionFacts& session_facts, std::string_view helo_name)
        : facts(session_facts), helo_(helo_name) {}
    std::string_view id() const override { return facts.id; }
    std::string_view connector() const override { return facts.connector->name; }
    std::string_view remote_address() const override { return facts.remote_address; }
    std::string_view helo() const override { return helo_; }
    const TlsFacts* tls() const override { return facts.tls; }
    bool outbound() const override { return false; }
    const SessionFacts& facts;
    std::string helo_;
};

struct EnvelopeView : Envelope {
    explicit EnvelopeView(const smtp::Transaction& one)
        : transaction(one), address(one.sender.empty ? "" : one.sender.address()) {
        for (const auto& path : one.recipients) addresses.push_back(path.address());
    }
    std::string_view sender() const override { return address; }
    std::string_view sender_domain() const override { return transaction.sender.domain; }
    std::size_t recipients() const override { return addresses.size(); }
    std::string_view recipient(std::size_t i) const override { return addresses.at(i); }
    std::string_view recipient_domain(std::size_t i) const override { return transaction.recipients.at(i).domain; }
    const smtp::Transaction& transaction;
    std::string address;
    std::vector<std::string> addresses;
};

Verdict stricter(Verdict a, Verdict b) { return static_cast<int>(a.kind) >= static_cast<int>(b.kind) ? a : b; }

Verdict from_reply(Reply reply) {
    return {reply.code >= 500 ? VerdictKind::reject : VerdictKind::defer, std::move(reply)};
}

}  // namespace

// False: a decider failed; the caller defers what depends on it. `verdict` is the strictest that was returned.
awaitable<bool> InboundPolicy::ask_deciders(const Question& question, policy::Requirement& requirement,
                                            Verdict& verdict) {
    bool all_answered = true;
    const auto take = [&](const Decision& decision, bool may_replace) {
        verdict = stricter(verdict, decision.verdict);
        if (decision.demand) requirement.demand = policy::strictest(requirement.demand, *decision.demand);
        if (may_replace && decision.replaces_floor) requirement.floor_replaced = true;
    };
    if (worker_.scripts) {
        auto answer = worker_.scripts->decide(question);
        if (answer.failed || answer.partner_failed) {
            services_.log.error("script-failed", answer.error + "; domain " + std::string(question.domain));
            log_.decision("script failed: " + answer.error);
            all_answered = question.partner.empty();
        }
        take(answer.decision, requirement.partner.enforcement_script);
    }
    for (const auto& named : services_.plugins.deciders()) {
        auto pending = named.decider->decide(question);
        auto answer = co_await answer_of(std::move(pending), decider_time, "plugin-failed");
        if (answer) {
            take(*answer, false);
        } else {
            services_.log.error("plugin-failed", named.name + ": " + answer.failure.text);
            all_answered = false;
        }
    }
    co_return all_answered;
}

awaitable<void> InboundPolicy::hold_against(const SessionFacts& session, std::string domain,
                                            policy::Requirement requirement) {
    policy::Evidence evidence;
    const auto& connector = *session.connector;
    evidence.connector_secured = connector.domain_secure_enabled && connector.auth_tls;
    evidence.tls = session.tls;
    evidence.starttls_offered = session.starttls_offered;
    evidence.starttls_tried = session.starttls_tried;
    evidence.handshake_failed_lately = services_.handshakes.failed_lately(session.remote_address);
    evidence.certificate_asked = session.certificate_requested;
    co_await judge_peer(services_, session.generation, requirement, transaction_.entry, domain, evidence);
    transaction_.outcome = policy::weigh(requirement, evidence, std::chrono::system_clock::now());
    const auto text = "session " + session.id + " " + judged_text(transaction_.outcome, evidence, domain);
    log_.decision(text);
    services_.log.write(transaction_.outcome.passes ? Severity::info : Severity::warning,
                        transaction_.outcome.passes ? "judged" : "mail-refused",
                        text + " from " + session.remote_address);
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

awaitable<void> InboundPolicy::mark_null_sender(const SessionFacts& session, std::string helo) {
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
    co_await hold_against(session, domain, floor_for(settings, transaction_.entry));
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
        if (!transaction_.trusted) co_await mark_null_sender(session, std::string(machine.helo()));
        co_return Verdict::proceed();
    }
    if (!transaction_.trusted) transaction_.entry = settings.receive_list.entry_for(domain);
    auto requirement = floor_for(settings, transaction_.entry);
    const SessionView session_view(session, machine.helo());
    const EnvelopeView envelope_view(machine.transaction());
    const Question question{Event::mail, &session_view, &envelope_view, transaction_.entry, domain};
    Verdict verdict;
    const bool answered = co_await ask_deciders(question, requirement, verdict);
    if (!answered) {
        const policy::Fault fault{"plugin-failed", "cannot be decided: a policy failed here; try again later"};
        services_.counters.add("postern_domain_secured_inbound_failures_total",
                               labels({{"domain", transaction_.counted_as()}, {"reason", fault.token}}));
        co_return from_reply(policy::reply_to(fault, requirement.partner, domain, session.id));
    }
    if (verdict.kind != VerdictKind::proceed) co_return verdict;
    if (!requirement.needs_tls()) {
        transaction_.outcome.passes = true;
        co_return verdict;
    }
    co_await hold_against(session, domain, std::move(requirement));
    co_return verdict_on(session, domain);
}

std::string InboundPolicy::outbound_requirement(const SessionFacts& session, const smtp::ServerSession& machine,
                                                std::string_view domain) const {
    const auto& settings = *session.generation->settings;
    if (settings.accepted_domains.contains(domain)) return {};
    const auto entry = settings.send_list.entry_for(domain);
    auto requirement = floor_for(settings, entry);
    if (worker_.scripts) {
        const SessionView session_view(session, machine.helo());
        const EnvelopeView envelope_view(machine.transaction());
        const Question question{Event::outbound_requirement, &session_view, &envelope_view, entry, domain};
        const auto answer = worker_.scripts->decide(question);
        if (answer.decision.demand) requirement.demand = policy::strictest(requirement.demand, *answer.decision.demand);
        const bool replaced = requirement.partner.enforcement_script && answer.partner_spoke && answer.decision.demand;
        requirement.floor_replaced = replaced && !answer.failed && !answer.partner_failed;
    }
    return policy::to_text(requirement);
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
