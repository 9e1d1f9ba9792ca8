#include <algorithm>
#include <config/keys.hpp>
#include <new>
#include <policy/evidence.hpp>
#include <script/answers.hpp>
#include <script/api.hpp>
#include <script/libraries.hpp>
#include <script/probe.hpp>
#include <script/sandbox.hpp>

namespace postern::script {

namespace {

std::size_t place_of(const policy::EventRow& row) {
    return static_cast<std::size_t>(&row - policy::event_rows().data());
}

int append_code(lua_State*, const void* piece, std::size_t size, void* code) {
    static_cast<std::string*>(code)->append(static_cast<const char*>(piece), size);
    return 0;
}

int unknown_global(lua_State* lua) {
    if (lua_type(lua, 2) != LUA_TSTRING) return luaL_error(lua, "globals have names");
    std::vector<std::string> known;
    lua_pushnil(lua);
    while (lua_next(lua, 1)) {
        known.emplace_back(lua_tostring(lua, -2));
        lua_pop(lua, 1);
    }
    const std::string name = lua_tostring(lua, 2);
    const std::string text = "there is no global '" + name.substr(0, 60) + "'" + config::nearest(name, known);
    return luaL_error(lua, "%s", text.c_str());
}

// What the handler returned stands from 2 on.
int read_returned(lua_State* lua, int, lua_KContext context) {
    auto& run = *reinterpret_cast<Sandbox::Run*>(context);
    auto& merged = *run.merged;
    const bool had_demand = merged.demand.has_value();
    Decision own;
    run.said.something = read_answers(lua, 2, own);
    run.said.demand = own.demand.has_value();
    if (const auto why = policy::nonsense(*run.row, own); !why.empty()) return luaL_error(lua, "%s", why.c_str());
    if (own.demand && had_demand) merged.demand = policy::strictest(*merged.demand, *own.demand);
    else if (own.demand) merged.demand = std::move(own.demand);
    add(merged, std::move(own.verdict));
    std::ranges::move(own.effects, std::back_inserter(merged.effects));
    return 0;
}

// The coroutine's whole life. Arguments: the Run, the handler, its own arguments.
int call_and_read(lua_State* lua) {
    const auto context = reinterpret_cast<lua_KContext>(lua_touserdata(lua, 1));
    lua_callk(lua, lua_gettop(lua) - 2, LUA_MULTRET, context, read_returned);
    return read_returned(lua, LUA_OK, context);
}

}  // namespace

std::string to_text(const ScriptFile& file, const LuaState::Fault& fault) {
    const auto line = ":" + std::to_string(fault.line) + ": " + fault.cause;
    if (fault.file.empty()) return file.path + line;
    // Modules lie beside partners/, in the folder of the scripts for all.
    auto folder = file.path.substr(0, file.path.rfind('/'));
    if (!file.partner.empty()) folder.resize(folder.rfind('/'));
    return folder + "/" + fault.file + line + " (called by " + file.path + ")";
}

Sandbox::Sandbox(Limits limits, const ScriptHostParts& parts, const Library& library)
    : parts_(parts), library_(library), state_(limits, this) {
    Fault fault;
    if (!state_.guard([this](lua_State* lua) { set_up(lua); }, fault)) throw std::bad_alloc();
    lua_settop(state_.get(), 0);
}

void Sandbox::set_up(lua_State* lua) {
    views_ = make_views(lua, &question_);
    push_libraries(lua);
    lua_newtable(lua);
    push_verdicts(lua);
    push_functions(lua);
    make_read_only(lua, "postern");
    lua_setfield(lua, -2, "postern");
    lua_newtable(lua);
    lua_pushcfunction(lua, unknown_global);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    shared_ = luaL_ref(lua, LUA_REGISTRYINDEX);
}

// A table that stays empty, so that every assignment meets set_global; what was assigned lies behind it, and behind
// that what all scripts share.
void Sandbox::push_environment(lua_State* lua) {
    lua_newtable(lua);  // what the script sees
    lua_newtable(lua);  // its metatable
    lua_newtable(lua);  // the script's globals
    lua_newtable(lua);  // their metatable
    lua_rawgeti(lua, LUA_REGISTRYINDEX, shared_);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -3, "__index");
    lua_pushcclosure(lua, set_global, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
}

int Sandbox::set_global(lua_State* lua) {
    if (!of(lua).loading_) {
        const char* name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "?";
        return luaL_error(lua, "global '%s' is read-only once the file is loaded: assign to a local", name);
    }
    lua_settop(lua, 3);
    lua_rawset(lua, lua_upvalueindex(1));
    return 0;
}

void Sandbox::note(lua_State* lua, std::string cause) {
    Fault fault{0, std::move(cause), false};
    lua_Debug frame;
    if (lua_getstack(lua, 1, &frame) && lua_getinfo(lua, "Sl", &frame) && frame.currentline > 0) {
        fault.line = static_cast<std::uint32_t>(frame.currentline);
        if (frame.short_src[0] == '@') fault.file = frame.short_src + 1;
    }
    noted_.push_back(std::move(fault));
}

bool Sandbox::compile(std::string_view source, const char* chunk, std::string& code, Fault& fault) {
    auto* lua = state_.get();
    code.clear();
    const auto body = [&](lua_State*) {
        if (luaL_loadbufferx(lua, source.data(), source.size(), chunk, "t") != LUA_OK) lua_error(lua);
        lua_dump(lua, append_code, &code, 0);
        lua_settop(lua, 0);
    };
    const bool good = state_.guard(body, fault);
    lua_settop(lua, 0);
    return good;
}

void Sandbox::forget(Script& script) {
    const auto let_go = [this](const std::vector<Handler>& handlers) {
        for (const auto& one : handlers) luaL_unref(state_.get(), LUA_REGISTRYINDEX, one.reference);
    };
    for (const auto& handlers : script.handlers) let_go(handlers);
    let_go(script.timers);
    script.handlers.assign(policy::event_rows().size(), {});
    script.timers.clear();
    script.usable = false;
}

std::vector<LuaState::Fault> Sandbox::add(const ScriptFile& file, std::size_t place) {
    if (scripts_.size() <= place) scripts_.resize(place + 1);
    auto& script = scripts_[place];
    forget(script);
    script.file = &file;
    noted_.clear();
    loading_ = &script;
    const auto body = [&](lua_State* lua) {
        if (luaL_loadbufferx(lua, file.code.data(), file.code.size(), chunk_name, "b") != LUA_OK) lua_error(lua);
        push_environment(lua);
        lua_setupvalue(lua, -2, 1);
        if (file.branches) unwrap_probed(lua, *file.branches);
        lua_call(lua, 0, 0);
    };
    Fault fault;
    if (!state_.guard(body, fault)) noted_.push_back(std::move(fault));
    loading_ = nullptr;
    lua_settop(state_.get(), 0);
    script.usable = noted_.empty();
    if (!script.usable) forget(script);
    return std::move(noted_);
}

const std::vector<Sandbox::Handler>& Sandbox::handlers(std::size_t place, Event event) const {
    static const std::vector<Handler> none;
    const auto* row = policy::find_event(event);
    return row && has(place) ? scripts_[place].handlers[place_of(*row)] : none;
}

Progress Sandbox::begin(std::size_t place, const Handler& handler, Run& run, Fault& fault) {
    run.script = &scripts_[place];
    run.line = handler.line;
    const auto view = [](lua_State* lua, bool there, int reference) {
        if (there) lua_rawgeti(lua, LUA_REGISTRYINDEX, reference);
        else lua_pushnil(lua);
    };
    const auto push = [&](lua_State* lua) {
        lua_pushcfunction(lua, call_and_read);
        lua_pushlightuserdata(lua, &run);
        lua_rawgeti(lua, LUA_REGISTRYINDEX, handler.reference);
        view(lua, run.question->session(), views_.session);
        view(lua, run.question->envelope(), views_.envelope);
        view(lua, true, views_.event);
    };
    // Only a new thread can meet the memory limit, which outside of a protected call would be a panic.
    if (coroutines_.idle()) {
        run.coroutine = coroutines_.take(state_.get());
    } else if (!state_.guard([&](lua_State* lua) { run.coroutine = coroutines_.take(lua); }, fault)) {
        return Progress::failed;
    }
    push(run.coroutine.thread);
    return go_on(run, 5, fault);
}

Progress Sandbox::resume(Run& run, Fault& fault) { return go_on(run, 0, fault); }

Progress Sandbox::go_on(Run& run, int arguments, Fault& fault) {
    question_ = run.question;
    running_ = &run;
    const auto progress = state_.resume(run.coroutine.thread, arguments, run.spent, run.line, fault);
    running_ = nullptr;
    question_ = nullptr;
    if (progress == Progress::done) coroutines_.give_back(state_.get(), run.coroutine);
    if (progress == Progress::failed) coroutines_.drop(state_.get(), run.coroutine);
    if (progress != Progress::waiting) run.coroutine = {};
    return progress;
}

void Sandbox::cancel(Run& run) {
    if (run.under_way()) coroutines_.drop(state_.get(), run.coroutine);
    run.coroutine = {};
}

}  // namespace postern::script
