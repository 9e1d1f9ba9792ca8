#include <optional>
#include <policy/evidence.hpp>
#include <script/loaded_set.hpp>

namespace postern::script {

// The sandbox is made at once, and anew by the first question after a call that spent it.
struct ScriptHost::State {
    State(std::shared_ptr<const ScriptSet> set, ScriptHostParts host_parts, Limits call_limits)
        : scripts(std::static_pointer_cast<const LoadedSet>(std::move(set))),
          parts(std::move(host_parts)),
          limits(call_limits) {
        renew();
    }

    void renew() {
        sandbox.reset();
        try {
            sandbox.emplace(limits, parts);
            for (std::size_t i = 0; i < scripts->scripts.size(); ++i) sandbox->add(scripts->scripts[i], i);
        } catch (const std::bad_alloc&) {
            sandbox.reset();
        }
    }

    // True: it answered. A script that could not be loaded here (a pause of the machine can pass the time limit) is
    // tried once more.
    bool ask(std::size_t place, const Question& question, Answer& answer, Sandbox::Said& said) {
        const auto& file = scripts->scripts[place];
        if (!sandbox) renew();
        if (!sandbox) return failed(answer, file, {0, "no memory for a Lua state", false});
        if (!sandbox->has(place)) {
            const auto faults = sandbox->add(file, place);
            if (!faults.empty()) return failed(answer, file, faults.front());
        }
        LuaState::Fault fault;
        auto heard = sandbox->ask(place, question, answer.decision, fault);
        if (heard) {
            said = *heard;
            return true;
        }
        if (fault.exceeded) sandbox.reset();
        return failed(answer, file, fault);
    }

    static bool failed(Answer& answer, const ScriptFile& file, const LuaState::Fault& fault) {
        if (!answer.error.empty()) answer.error += "; ";
        answer.error += to_text(file, fault);
        return false;
    }

    std::shared_ptr<const LoadedSet> scripts;
    ScriptHostParts parts;
    Limits limits;
    std::optional<Sandbox> sandbox;
};

ScriptHost::ScriptHost(std::shared_ptr<const ScriptSet> scripts, ScriptHostParts parts, Limits limits)
    : state_(std::make_unique<State>(std::move(scripts), std::move(parts), limits)) {}
ScriptHost::~ScriptHost() = default;

bool ScriptHost::listens(Event event) const { return state_->scripts->listens(event); }

ScriptHost::Answer ScriptHost::decide(const Question& question) {
    Answer answer;
    Sandbox::Said said;
    // One that fails leaves the others standing: for unlisted domains their verdicts still count.
    for (std::size_t i = 0; i < state_->scripts->for_all; ++i) {
        if (!state_->ask(i, question, answer, said)) answer.failed = true;
        answer.decision.spoke |= said.something;
    }
    if (question.partner().empty()) return answer;
    const auto partner = state_->scripts->by_partner.find(question.partner());
    if (partner == state_->scripts->by_partner.end()) return answer;
    said = {};
    if (!state_->ask(partner->second, question, answer, said)) answer.partner_failed = true;
    answer.partner_spoke = said.something;
    answer.decision.spoke |= said.something;
    // A verdict alone replaces no floor, and neither does what another script demands.
    answer.decision.replaces_floor = said.demand;
    return answer;
}

}  // namespace postern::script
