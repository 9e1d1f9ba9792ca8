// The scripts of one generation inside one Lua state: each with its own globals, its handlers by event. Used as scratch
// when scripts are loaded and as a worker's state afterwards; what a failure means for mail is ScriptHost's to say.
#pragma once

#include <optional>
#include <script/lua_state.hpp>
#include <script/views.hpp>
#include <string>
#include <vector>

namespace postern::script {

// What `postern` holds beside the effects of policy/events.hpp; docs/scripts.md explains each.
constexpr std::string_view postern_functions[] = {"on", "listed", "log", "defer", "reject", "proceed"};
std::vector<std::string> postern_fields();

struct ScriptFile {
    std::string path;     // as messages name it
    std::string partner;  // the listed entry; empty: for all
    std::string code;     // compiled by this very Lua
};

class Sandbox {
public:
    Sandbox(Limits limits, const ScriptHostParts& parts);
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;

    using Fault = LuaState::Fault;
    // Source text to code that add() takes; text only, no bytecode from outside.
    bool compile(std::string_view source, std::string& code, Fault& fault);
    // Runs the file's top level, where it says postern.on; gives its faults. A script with faults has no handlers.
    // `place` is the number by which ask() knows it; an earlier one of that number is replaced.
    std::vector<Fault> add(const ScriptFile& file, std::size_t place);
    bool has(std::size_t place) const { return place < scripts_.size() && scripts_[place].usable; }

    // Whether that script has a handler for the event.
    bool listens(std::size_t place, Event event) const;

    struct Said {
        bool something = false, demand = false;
    };
    // Every handler of that script for the question's event; what they return is merged. Nothing where one failed.
    std::optional<Said> ask(std::size_t place, const Question& question, Decision& merged, Fault& fault);

private:
    struct Handler {
        int reference;
        std::uint32_t line;
    };
    struct Script {
        const ScriptFile* file = nullptr;
        std::vector<std::vector<Handler>> handlers;  // by row of the table of events
        bool usable = false;
    };
    static Sandbox& of(lua_State* lua) { return *static_cast<Sandbox*>(budget_of(lua).owner); }
    static int on(lua_State* lua);
    static int listed(lua_State* lua);
    static int log(lua_State* lua);
    static int set_global(lua_State* lua);
    void set_up(lua_State* lua);
    void push_environment(lua_State* lua);
    void forget(Script& script);
    void note(lua_State* lua, std::string cause);

    const ScriptHostParts& parts_;
    LuaState state_;
    Views views_;
    int shared_ = LUA_NOREF;              // what all scripts see, in the registry
    const Question* question_ = nullptr;  // under way; what the views show
    Script* loading_ = nullptr;
    const Script* running_ = nullptr;
    unsigned lines_logged_ = 0;
    std::vector<Fault> noted_;  // while loading
    std::vector<Script> scripts_;
};

// "/etc/postern/scripts/a.lua:12: cause"
std::string to_text(const ScriptFile& file, const LuaState::Fault& fault);

}  // namespace postern::script
