// Policy scripts: one generation of the scripts folder, compiled once, and a Lua state a worker that runs them as one
// more decider. The only folder that knows Lua. Scripts decide; they set no option, and nothing they return lowers the
// floor, except for the partner whose block says `enforcement script`.
//
//   scripts/*.lua                  for every transaction; a failure defers listed domains only
//   scripts/partners/DOMAIN.lua    for that partner's transactions alone; a failure defers those alone
//   scripts/modules/NAME.lua       what several of them share
//   scripts/data/*.map, *.cidr     what they look up
#pragma once

#include <config/settings.hpp>
#include <memory>
#include <postern/decider.hpp>
#include <script/lookups.hpp>
#include <string>
#include <vector>

namespace postern::script {

struct Limits {
    std::size_t memory = 16u << 20;           // octets a state
    std::uint64_t instructions = 10'000'000;  // a call
    Milliseconds wall{100};                   // a call
};

// Which function of which script postern.every named.
struct TimerPlace {
    std::size_t script = 0, timer = 0;
    std::chrono::seconds every{0};
};

// Immutable, shared by the workers of one generation.
class ScriptSet {
public:
    // Reads and compiles every script, runs each once in a scratch state; problems as file:line. Null on any problem.
    static std::shared_ptr<const ScriptSet> load(const std::string& folder,
                                                 std::vector<config::ConfigProblem>& problems);
    virtual ~ScriptSet() = default;
    virtual bool has_partner(std::string_view entry) const = 0;
    virtual std::vector<std::string> files() const = 0;
    virtual bool listens(Event event) const = 0;
    virtual const std::vector<TimerPlace>& timers() const = 0;
};

struct ScriptHostParts {
    std::function<void(Severity, std::string_view id, std::string_view text)> log;
    std::function<std::string_view(std::string_view list, std::string_view domain)> listed;  // "send" | "receive"
};

// One worker's state; that worker's thread only. A call that passes its limits is ended, the state made anew.
class ScriptHost {
public:
    ScriptHost(std::shared_ptr<const ScriptSet> scripts, ScriptHostParts parts, Limits limits = {});
    ~ScriptHost();

    struct Answer {
        Decision decision;    // merged: strictest verdict, strictest demands
        bool failed = false;  // then the transaction is 451 4.3.0 (for all: only where the domain is listed)
        bool partner_failed = false;
        bool partner_spoke = false;  // the partner's own script returned something
        std::string error;           // file:line: cause
    };

    // One question under way. It may stop for look-ups, and others may be asked meanwhile; whoever drops it ends it.
    // Host and question outlive it.
    class Call {
    public:
        Call(Call&&) noexcept;
        ~Call();
        bool step();  // true: take() has the answer; false: bring what is wanted(), then step() again
        const Lookup& wanted() const;
        void found(Found found);
        Answer take();

    private:
        friend class ScriptHost;
        struct State;
        explicit Call(std::unique_ptr<State> state);
        std::unique_ptr<State> state_;
    };
    Call ask(const Question& question);
    Call tick(TimerPlace timer, const Question& question);
    // Where nobody can wait: every look-up fails.
    Answer decide(const Question& question);
    bool listens(Event event) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace postern::script
