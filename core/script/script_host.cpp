#include <optional>
#include <policy/evidence.hpp>
#include <script/loaded_set.hpp>
#include <script/sandbox.hpp>

namespace postern::script {

// The sandbox is made at once, and anew by the first question after a call that spent it; the old one lives as long as
// calls wait in it.
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
            auto fresh = std::make_shared<Sandbox>(limits, parts, scripts->library);
            for (std::size_t i = 0; i < scripts->scripts.size(); ++i) fresh->add(scripts->scripts[i], i);
            sandbox = std::move(fresh);
        } catch (const std::bad_alloc&) {}
    }

    // Whether that script can be asked. One that could not be loaded here (a pause of the machine can pass the time
    // limit) is tried once more.
    bool usable(std::size_t place, LuaState::Fault& fault) {
        if (!sandbox) renew();
        if (!sandbox) {
            fault = {0, "no memory for a Lua state", false, {}};
            return false;
        }
        if (sandbox->has(place)) return true;
        auto faults = sandbox->add(scripts->scripts[place], place);
        if (!faults.empty()) fault = std::move(faults.front());
        return faults.empty();
    }

    std::shared_ptr<const LoadedSet> scripts;
    ScriptHostParts parts;
    Limits limits;
    std::shared_ptr<Sandbox> sandbox;
};

// Goes through the scripts that the question concerns, those for all first, and through each one's handlers.
struct ScriptHost::Call::State {
    State(ScriptHost::State& script_host, const Question& asked, std::optional<TimerPlace> one_timer)
        : host(script_host), question(asked), row(policy::find_event(asked.event())), timer(one_timer) {
        const auto& scripts = *host.scripts;
        if (timer) {
            last = timer->script + 1;
            place = timer->script;
            return;
        }
        last = scripts.for_all;
        const auto found =
            question.partner().empty() ? scripts.by_partner.end() : scripts.by_partner.find(question.partner());
        if (found != scripts.by_partner.end()) partner = found->second;
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (sandbox) sandbox->cancel(run);
    }

    bool step() {
        for (;;) {
            if (run.under_way()) {
                if (!heard(sandbox->resume(run, fault))) return false;
            } else if (!next_handler()) {
                if (!next_script()) return true;
            } else if (!heard(begin())) {
                return false;
            }
        }
    }

    // The next handler of the script under way; what it is asked with is ready.
    bool next_handler() {
        if (!sandbox) return false;
        const auto& all = timer ? sandbox->timers(place) : sandbox->handlers(place, question.event());
        if (timer && handler <= timer->timer) handler = timer->timer;
        if (handler >= all.size() || (timer && handler > timer->timer)) return false;
        chosen = all[handler++];
        return true;
    }

    Progress begin() {
        run = {};
        run.question = &question;
        run.row = row;
        run.merged = &answer.decision;
        return sandbox->begin(place, chosen, run, fault);
    }

    // False: the handler waits.
    bool heard(Progress progress) {
        if (progress == Progress::waiting) return false;
        if (progress == Progress::failed) {
            fail();
            return true;
        }
        said.something |= run.said.something;
        said.demand |= run.said.demand;
        return true;
    }

    // A script that failed leaves the others standing: for unlisted domains their verdicts still count.
    void fail() {
        if (!answer.error.empty()) answer.error += "; ";
        answer.error += to_text(host.scripts->scripts[place], fault);
        (of_partner ? answer.partner_failed : answer.failed) = true;
        if (fault.exceeded && host.sandbox == sandbox) host.sandbox.reset();
        sandbox.reset();  // its other handlers are not asked
        said = {};
    }

    // Ends the script under way and begins the next; false: there is none.
    bool next_script() {
        if (begun) {
            answer.decision.spoke |= said.something;
            if (of_partner) {
                answer.partner_spoke = said.something;
                // A verdict alone replaces no floor, and neither does what another script demands.
                answer.decision.replaces_floor = said.demand;
            }
            if (of_partner) return false;
            ++place;
        }
        begun = true;
        if (place >= last) {
            if (!partner) return false;
            place = *partner;
            of_partner = true;
        }
        handler = 0;
        said = {};
        sandbox.reset();
        if (!host.usable(place, fault)) fail();
        else sandbox = host.sandbox;
        return true;
    }

    ScriptHost::State& host;
    const Question& question;
    const policy::EventRow* row;
    std::optional<TimerPlace> timer;
    std::optional<std::size_t> partner;
    std::size_t place = 0, last = 0, handler = 0;
    bool begun = false, of_partner = false;
    std::shared_ptr<Sandbox> sandbox;
    Sandbox::Handler chosen{};
    Sandbox::Run run;
    Sandbox::Said said;
    LuaState::Fault fault;
    Answer answer;
};

ScriptHost::ScriptHost(std::shared_ptr<const ScriptSet> scripts, ScriptHostParts parts, Limits limits)
    : state_(std::make_unique<State>(std::move(scripts), std::move(parts), limits)) {}
ScriptHost::~ScriptHost() = default;

bool ScriptHost::listens(Event event) const { return state_->scripts->listens(event); }

ScriptHost::Call ScriptHost::ask(const Question& question) {
    return Call(std::make_unique<Call::State>(*state_, question, std::nullopt));
}
ScriptHost::Call ScriptHost::tick(TimerPlace timer, const Question& question) {
    return Call(std::make_unique<Call::State>(*state_, question, timer));
}

ScriptHost::Answer ScriptHost::decide(const Question& question) {
    auto call = ask(question);
    while (!call.step()) call.found({{}, "no-lookups", "look-ups cannot be made here"});
    return call.take();
}

ScriptHost::Call::Call(std::unique_ptr<State> state) : state_(std::move(state)) {}
ScriptHost::Call::Call(Call&&) noexcept = default;
ScriptHost::Call::~Call() = default;
bool ScriptHost::Call::step() { return state_->step(); }
const Lookup& ScriptHost::Call::wanted() const { return state_->run.wanted; }
void ScriptHost::Call::found(Found found) { state_->run.found = std::move(found); }
ScriptHost::Answer ScriptHost::Call::take() { return std::move(state_->answer); }

}  // namespace postern::script
