// The scripts of one generation inside one Lua state: each with its own globals, its handlers by event. Used as scratch
// when scripts are loaded and as a worker's state afterwards; what a failure means for mail is ScriptHost's to say.
// Handlers run on coroutines, so that several may wait for look-ups at once; what they call stands in api.cpp.
#pragma once

#include <optional>
#include <policy/events.hpp>
#include <script/coroutines.hpp>
#include <script/library.hpp>
#include <script/lookups.hpp>
#include <script/lua_state.hpp>
#include <script/views.hpp>
#include <string>
#include <vector>

namespace postern::script {

class Sandbox {
public:
    Sandbox(Limits limits, const ScriptHostParts& parts, const Library& library);
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;

    using Fault = LuaState::Fault;
    struct Handler {
        int reference;
        std::uint32_t line;
        std::chrono::seconds every{0};  // of timers
    };
    struct Script {
        const ScriptFile* file = nullptr;
        std::vector<std::vector<Handler>> handlers;  // by row of the table of events
        std::vector<Handler> timers;
        bool usable = false;
    };

    // Source text to code that add() takes; text only, no bytecode from outside.
    bool compile(std::string_view source, const char* chunk, std::string& code, Fault& fault);
    // Runs the file's top level, where it says postern.on; gives its faults. A script with faults has no handlers.
    // `place` is the number by which it is known; an earlier one of that number is replaced.
    std::vector<Fault> add(const ScriptFile& file, std::size_t place);
    bool has(std::size_t place) const { return place < scripts_.size() && scripts_[place].usable; }

    bool listens(std::size_t place, Event event) const { return !handlers(place, event).empty(); }
    const std::vector<Handler>& handlers(std::size_t place, Event event) const;
    const std::vector<Handler>& timers(std::size_t place) const { return scripts_.at(place).timers; }

    struct Said {
        bool something = false, demand = false;
    };
    // One handler under way. Who asked keeps it, and the question, until it is done, failed or cancelled; `merged` gets
    // what the handler returned.
    struct Run {
        const Question* question = nullptr;
        const policy::EventRow* row = nullptr;
        Decision* merged = nullptr;
        Said said;
        Lookup wanted;  // while it waits
        Found found;    // put there before resume()

        Coroutine coroutine;
        const Script* script = nullptr;
        std::uint32_t line = 0;
        Spent spent;
        unsigned lookups = 0, lines_logged = 0;
        bool under_way() const { return coroutine.thread != nullptr; }
    };
    // Sets question, row and merged first.
    Progress begin(std::size_t place, const Handler& handler, Run& run, Fault& fault);
    Progress resume(Run& run, Fault& fault);
    void cancel(Run& run);

    // ---- for the functions that scripts call ----
    static Sandbox& of(lua_State* lua) { return *static_cast<Sandbox*>(budget_of(lua).owner); }
    Script* loading() { return loading_; }
    // Faults of loading are noted, not raised: one loading names them all.
    void note(lua_State* lua, std::string cause);
    std::size_t noted() const { return noted_.size(); }
    Run* running() { return running_; }
    const ScriptHostParts& parts() const { return parts_; }
    const Library& library() const { return library_; }
    std::size_t waiting() const { return coroutines_.taken(); }
    // A table as globals, on the stack: what all scripts share behind it.
    void push_environment(lua_State* lua);

private:
    static int set_global(lua_State* lua);
    void set_up(lua_State* lua);
    void forget(Script& script);
    Progress go_on(Run& run, int arguments, Fault& fault);

    const ScriptHostParts& parts_;
    const Library& library_;
    LuaState state_;
    Views views_;
    Coroutines coroutines_;
    int shared_ = LUA_NOREF;              // what all scripts see, in the registry
    const Question* question_ = nullptr;  // of the handler that runs; what the views show
    Script* loading_ = nullptr;
    Run* running_ = nullptr;
    std::vector<Fault> noted_;  // while loading
    std::vector<Script> scripts_;
};

// "/etc/postern/scripts/a.lua:12: cause"; of a module its own path.
std::string to_text(const ScriptFile& file, const LuaState::Fault& fault);

}  // namespace postern::script
