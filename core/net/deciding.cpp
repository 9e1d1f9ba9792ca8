#include <net/await.hpp>
#include <net/deciding.hpp>
#include <net/look_up.hpp>
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
           (generation.script_host(worker) && generation.scripts->listens(event));
}

// Brings what scripts wait for until they are done; all look-ups of one question together have `decider_time`.
static awaitable<script::ScriptHost::Answer> finish(const Services& services, const Generation& generation,
                                                    script::ScriptHost::Call& call) {
    const auto until = within(decider_time);
    while (!call.step()) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        auto found = co_await look_up(services, generation, call.wanted(), left);
        call.found(std::move(found));
    }
    co_return call.take();
}

static awaitable<void> ask_scripts(const Services& services, Worker& worker, const Generation& generation,
                                   const policy::AskedQuestion& question, const std::string& subject, Asked& asked) {
    auto* host = generation.script_host(worker);
    if (!host || !host->listens(question.event())) co_return;
    auto call = host->ask(question);
    auto answer = co_await finish(services, generation, call);
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

awaitable<void> run_timer(const Services& services, Worker& worker, std::shared_ptr<const Generation> generation,
                          script::TimerPlace timer) {
    const policy::AskedQuestion question(Event::timer, nullptr, nullptr);
    auto call = generation->script_host(worker)->tick(timer, question);
    const auto answer = co_await finish(services, *generation, call);
    if (!answer.error.empty()) services.log.error("script-failed", answer.error + "; in postern.every");
}

awaitable<Asked> ask(const Services& services, Worker& worker, std::shared_ptr<const Generation> generation,
                     const policy::AskedQuestion& question, std::string subject) {
    Asked asked;
    co_await ask_scripts(services, worker, *generation, question, subject, asked);
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

}  // namespace postern::net
