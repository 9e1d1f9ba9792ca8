#include <net/await.hpp>
#include <net/deciding.hpp>
#include <policy/evidence.hpp>

namespace postern::net {

static constexpr std::chrono::milliseconds decider_time{10000};

static void merge(Asked& asked, Decision&& decision) {
    auto& merged = asked.merged;
    if (static_cast<int>(decision.verdict.kind) > static_cast<int>(merged.verdict.kind))
        merged.verdict = std::move(decision.verdict);
    if (decision.demand)
        merged.demand = merged.demand ? policy::strictest(*merged.demand, *decision.demand) : *decision.demand;
    for (auto& effect : decision.effects) merged.effects.push_back(std::move(effect));
    merged.spoke |= decision.spoke;
}

bool listened_to(const Services& services, const Worker& worker, const Generation& generation, Event event) {
    return !generation.providers->deciders(event).empty() || services.plugins.observed(event) ||
           (worker.scripts && worker.scripts->listens(event));
}

void ask_scripts(const Services& services, Worker& worker, const policy::AskedQuestion& question,
                 const std::string& subject, Asked& asked) {
    if (!worker.scripts || !worker.scripts->listens(question.event())) return;
    auto answer = worker.scripts->decide(question);
    if (answer.failed || answer.partner_failed) {
        asked.script_failed = answer.failed;
        asked.partner_failed = answer.partner_failed;
        asked.error = answer.error;
        services.log.error("script-failed", answer.error + "; " + subject);
    }
    asked.partner_spoke = answer.partner_spoke;
    asked.replaces_floor = answer.decision.replaces_floor;
    merge(asked, std::move(answer.decision));
}

awaitable<Asked> ask(const Services& services, Worker& worker, std::shared_ptr<const Generation> generation,
                     const policy::AskedQuestion& question, std::string subject) {
    Asked asked;
    ask_scripts(services, worker, question, subject, asked);
    const auto& row = *policy::find_event(question.event());
    for (const auto& named : generation->providers->deciders(question.event())) {
        auto pending = named.decider->decide(question);
        auto answer = co_await answer_of(std::move(pending), decider_time, "plugin-failed");
        auto why = answer ? policy::nonsense(row, *answer) : answer.failure.text;
        if (why.empty()) {
            merge(asked, std::move(*answer));
            continue;
        }
        asked.plugin_failed = true;
        asked.error = named.name + ": " + why;
        services.log.error("plugin-failed", asked.error + "; " + subject);
    }
    tell_observers(services, question, asked.merged.verdict);
    co_return asked;
}

void tell_observers(const Services& services, const policy::AskedQuestion& question, const Verdict& verdict) {
    const auto observers = services.plugins.observers(question.event());
    if (observers.empty()) return;
    Occurrence what;
    what.event = question.event();
    what.time = std::chrono::system_clock::now();
    if (const auto* session = question.session()) {
        what.outbound = session->outbound();
        what.session = session->id();
        what.connector = session->connector();
        what.remote_address = session->remote_address();
        what.helo = session->helo();
    }
    if (const auto* envelope = question.envelope()) {
        what.sender = envelope->sender();
        for (std::size_t i = 0; i < envelope->recipients(); ++i) what.recipients.emplace_back(envelope->recipient(i));
    }
    what.domain = question.domain();
    what.partner = question.partner();
    what.details = question.details();
    what.verdict = verdict;
    for (auto* observer : observers) observer->saw(what);
}

Verdict policy_failed(std::string_view domain, std::string_view session) {
    const auto whose = domain.empty() ? std::string("mail") : "mail of " + std::string(domain);
    return Verdict::defer("plugin-failed: " + whose +
                              " cannot be decided: a policy failed here; try again later (session " +
                              std::string(session) + ")",
                          "4.3.0", 451);
}

}  // namespace postern::net
