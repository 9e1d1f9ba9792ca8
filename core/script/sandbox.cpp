#include <algorithm>
#include <config/keys.hpp>
#include <mail/address.hpp>
#include <new>
#include <policy/events.hpp>
#include <policy/evidence.hpp>
#include <script/answers.hpp>
#include <script/libraries.hpp>
#include <script/sandbox.hpp>

namespace postern::script {

namespace {

constexpr unsigned most_lines_logged = 20;  // a call; a loop must not fill the disk
constexpr std::size_t most_handlers = 16;   // an event and script

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

// Arguments: where the answers go, the handler, its own arguments. One protected call covers it and the reading.
struct Reading {
    const policy::EventRow& row;
    Decision& merged;
    Sandbox::Said said;
};
int call_and_read(lua_State* lua) {
    auto& reading = *static_cast<Reading*>(lua_touserdata(lua, 1));
    lua_call(lua, lua_gettop(lua) - 2, LUA_MULTRET);
    const bool had_demand = reading.merged.demand.has_value();
    Decision own;
    reading.said.something = read_answers(lua, 2, own);
    reading.said.demand = own.demand.has_value();
    if (const auto why = policy::nonsense(reading.row, own); !why.empty()) return luaL_error(lua, "%s", why.c_str());
    if (own.demand && had_demand) reading.merged.demand = policy::strictest(*reading.merged.demand, *own.demand);
    else if (own.demand) reading.merged.demand = std::move(own.demand);
    add(reading.merged, std::move(own.verdict));
    std::ranges::move(own.effects, std::back_inserter(reading.merged.effects));
    return 0;
}

}  // namespace

std::vector<std::string> postern_fields() {
    std::vector<std::string> all(std::begin(postern_functions), std::end(postern_functions));
    for (const auto& row : policy::effect_rows()) all.emplace_back(row.name);
    return all;
}

std::string to_text(const ScriptFile& file, const LuaState::Fault& fault) {
    return file.path + ":" + std::to_string(fault.line) + ": " + fault.cause;
}

Sandbox::Sandbox(Limits limits, const ScriptHostParts& parts) : parts_(parts), state_(limits, this) {
    Fault fault;
    if (!state_.guard([this](lua_State* lua) { set_up(lua); }, fault)) throw std::bad_alloc();
    lua_settop(state_.get(), 0);
}

void Sandbox::set_up(lua_State* lua) {
    views_ = make_views(lua, &question_);
    push_libraries(lua);
    lua_newtable(lua);
    push_verdicts(lua);
    const luaL_Reg functions[] = {{"on", on}, {"listed", listed}, {"log", log}, {nullptr, nullptr}};
    luaL_setfuncs(lua, functions, 0);
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
    if (lua_getstack(lua, 1, &frame) && lua_getinfo(lua, "l", &frame) && frame.currentline > 0)
        fault.line = static_cast<std::uint32_t>(frame.currentline);
    noted_.push_back(std::move(fault));
}

// Faults are noted, not raised: one loading names them all.
int Sandbox::on(lua_State* lua) {
    auto& self = of(lua);
    if (!self.loading_) return luaL_error(lua, "postern.on belongs at the top of the file, not in a handler");
    if (self.noted_.size() > 100) return luaL_error(lua, "too many faults");
    if (lua_type(lua, 1) != LUA_TSTRING || !lua_isfunction(lua, 2) || lua_gettop(lua) != 2) {
        self.note(lua, "postern.on takes the name of an event and a function");
        return 0;
    }
    const std::string_view name = lua_tostring(lua, 1);
    const auto* row = policy::find_event(name);
    if (!row) {
        std::vector<std::string> known;
        for (const auto& one : policy::event_rows()) known.emplace_back(one.name);
        self.note(lua, "there is no event \"" + std::string(name.substr(0, 60)) + "\"" + config::nearest(name, known));
        return 0;
    }
    auto& handlers = self.loading_->handlers[place_of(*row)];
    if (handlers.size() == most_handlers) return luaL_error(lua, "more than %d handlers for one event", 16);
    lua_Debug function;
    lua_pushvalue(lua, 2);
    lua_getinfo(lua, ">S", &function);
    handlers.push_back({LUA_NOREF, static_cast<std::uint32_t>(std::max(0, function.linedefined))});
    lua_settop(lua, 2);
    handlers.back().reference = luaL_ref(lua, LUA_REGISTRYINDEX);
    return 0;
}

int Sandbox::listed(lua_State* lua) {
    auto& self = of(lua);
    if (self.loading_) return luaL_error(lua, "postern.listed belongs inside a handler: lists are known then");
    const std::string_view list = luaL_checkstring(lua, 1);
    std::size_t size = 0;
    const char* text = luaL_checklstring(lua, 2, &size);
    if (list != "send" && list != "receive") {
        const std::string cause =
            "there is no list \"" + std::string(list.substr(0, 60)) + "\"" + config::nearest(list, {"send", "receive"});
        return luaL_error(lua, "%s", cause.c_str());
    }
    const auto domain = mail::canonical_domain({text, size});
    const auto entry = domain && self.parts_.listed ? self.parts_.listed(list, *domain) : std::string_view();
    if (entry.empty()) lua_pushnil(lua);
    else lua_pushlstring(lua, entry.data(), entry.size());
    return 1;
}

int Sandbox::log(lua_State* lua) {
    auto& self = of(lua);
    std::size_t size = 0;
    const char* text = luaL_checklstring(lua, 1, &size);
    if (!self.running_ || !self.parts_.log || ++self.lines_logged_ > most_lines_logged) return 0;
    lua_Debug frame;
    Fault line = located({text, size}, 0);
    if (lua_getstack(lua, 1, &frame) && lua_getinfo(lua, "l", &frame))
        line.line = static_cast<std::uint32_t>(std::max(0, frame.currentline));
    self.parts_.log(Severity::info, "script-log", to_text(*self.running_->file, line));
    return 0;
}

bool Sandbox::compile(std::string_view source, std::string& code, Fault& fault) {
    auto* lua = state_.get();
    code.clear();
    const auto body = [&](lua_State*) {
        if (luaL_loadbufferx(lua, source.data(), source.size(), chunk_name, "t") != LUA_OK) lua_error(lua);
        lua_dump(lua, append_code, &code, 0);
        lua_settop(lua, 0);
    };
    const bool good = state_.guard(body, fault);
    lua_settop(lua, 0);
    return good;
}

void Sandbox::forget(Script& script) {
    for (const auto& handlers : script.handlers)
        for (const auto& one : handlers) luaL_unref(state_.get(), LUA_REGISTRYINDEX, one.reference);
    script.handlers.assign(policy::event_rows().size(), {});
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

bool Sandbox::listens(std::size_t place, Event event) const {
    const auto* row = policy::find_event(event);
    return row && has(place) && !scripts_[place].handlers[place_of(*row)].empty();
}

std::optional<Sandbox::Said> Sandbox::ask(std::size_t place, const Question& question, Decision& merged, Fault& fault) {
    auto* lua = state_.get();
    Said said;
    const auto* row = policy::find_event(question.event());
    if (!row) return said;
    const auto& script = scripts_[place];
    running_ = &script;
    question_ = &question;
    lines_logged_ = 0;
    bool good = true;
    for (const auto& handler : script.handlers[place_of(*row)]) {
        Reading reading{*row, merged, {}};
        lua_pushcfunction(lua, call_and_read);
        lua_pushlightuserdata(lua, &reading);
        lua_rawgeti(lua, LUA_REGISTRYINDEX, handler.reference);
        const auto view = [&](bool there, int reference) {
            if (there) lua_rawgeti(lua, LUA_REGISTRYINDEX, reference);
            else lua_pushnil(lua);
        };
        view(question.session(), views_.session);
        view(question.envelope(), views_.envelope);
        view(true, views_.event);
        good = state_.run(5, handler.line, fault);
        lua_settop(lua, 0);
        if (!good) break;
        said.something |= reading.said.something;
        said.demand |= reading.said.demand;
    }
    question_ = nullptr;
    running_ = nullptr;
    if (!good) return std::nullopt;
    return said;
}

}  // namespace postern::script
