// What belongs at the top of a file: handlers, timers, modules, data files. Called later it is an error.
#include <algorithm>
#include <config/keys.hpp>
#include <cstdlib>
#include <script/functions.hpp>

namespace postern::script {

namespace {

constexpr std::size_t most_handlers = 16;  // an event and script
constexpr std::size_t most_timers = 16;    // a script
constexpr std::size_t most_faults = 100;
constexpr lua_Integer shortest_timer = 10, longest_timer = 86400;  // seconds

Sandbox::Script& at_the_top(lua_State* lua, const char* what) {
    auto& sandbox = Sandbox::of(lua);
    if (!sandbox.loading()) luaL_error(lua, "postern.%s belongs at the top of the file, not in a handler", what);
    if (sandbox.noted() > most_faults) luaL_error(lua, "too many faults");
    return *sandbox.loading();
}

// The function at `index`, kept; with the line where it begins.
Sandbox::Handler kept(lua_State* lua, int index) {
    lua_Debug function;
    lua_pushvalue(lua, index);
    lua_getinfo(lua, ">S", &function);
    lua_settop(lua, index);
    return {luaL_ref(lua, LUA_REGISTRYINDEX), static_cast<std::uint32_t>(std::max(0, function.linedefined))};
}

template <class Files>
std::string no_such_file(std::string_view name, const Files& files, std::string_view folder, std::string_view ending) {
    std::vector<std::string> known;
    for (const auto& [one, file] : files) known.push_back(one);
    const std::string shown(name.substr(0, 80));
    return "there is no " + std::string(folder) + shown + std::string(ending) + config::nearest(shown, known);
}

template <class T>
int push_object(lua_State* lua, const T& object, const char* type) {
    *static_cast<const T**>(lua_newuserdatauv(lua, sizeof(const T*), 0)) = &object;
    luaL_setmetatable(lua, type);
    return 1;
}

}  // namespace

void raise(lua_State* lua, const std::string& text) {
    luaL_error(lua, "%s", text.c_str());
    std::abort();  // luaL_error does not return
}

std::string_view text_argument(lua_State* lua, int index) {
    std::size_t size = 0;
    const char* text = luaL_checklstring(lua, index, &size);
    return {text, size};
}

int declare_handler(lua_State* lua) {
    auto& script = at_the_top(lua, "on");
    auto& sandbox = Sandbox::of(lua);
    if (lua_type(lua, 1) != LUA_TSTRING || !lua_isfunction(lua, 2) || lua_gettop(lua) != 2) {
        sandbox.note(lua, "postern.on takes the name of an event and a function");
        return 0;
    }
    const auto name = text_argument(lua, 1);
    const auto* row = policy::find_event(name);
    if (!row) {
        std::vector<std::string> known;
        for (const auto& one : policy::event_rows()) known.emplace_back(one.name);
        sandbox.note(lua,
                     "there is no event \"" + std::string(name.substr(0, 60)) + "\"" + config::nearest(name, known));
        return 0;
    }
    auto& handlers = script.handlers[static_cast<std::size_t>(row - policy::event_rows().data())];
    if (handlers.size() == most_handlers) return luaL_error(lua, "more than %d handlers for one event", 16);
    handlers.reserve(handlers.size() + 1);
    handlers.push_back(kept(lua, 2));
    return 0;
}

int declare_timer(lua_State* lua) {
    auto& script = at_the_top(lua, "every");
    if (!lua_isinteger(lua, 1) || !lua_isfunction(lua, 2) || lua_gettop(lua) != 2 ||
        lua_tointeger(lua, 1) < shortest_timer || lua_tointeger(lua, 1) > longest_timer) {
        Sandbox::of(lua).note(lua, "postern.every takes a whole number of seconds, 10 to 86400, and a function");
        return 0;
    }
    if (script.timers.size() == most_timers) return luaL_error(lua, "more than %d timers in one file", 16);
    script.timers.reserve(script.timers.size() + 1);
    auto timer = kept(lua, 2);
    timer.every = std::chrono::seconds(lua_tointeger(lua, 1));
    script.timers.push_back(timer);
    return 0;
}

// Each script that asks has a module of its own, so that nothing leaks between partners; the code is shared.
int open_module(lua_State* lua) {
    at_the_top(lua, "module");
    auto& sandbox = Sandbox::of(lua);
    const auto name = text_argument(lua, 1);
    const auto& modules = sandbox.library().modules;
    const auto found = modules.find(name);
    if (found == modules.end()) raise(lua, no_such_file(name, modules, "modules/", ".lua"));
    luaL_getsubtable(lua, LUA_REGISTRYINDEX, "postern modules");
    lua_pushlstring(lua, name.data(), name.size());
    if (lua_rawget(lua, -2) == LUA_TNIL) {
        lua_pop(lua, 1);
        const auto chunk = "=@modules/" + std::string(name) + ".lua";
        const auto& code = found->second.code;
        if (luaL_loadbufferx(lua, code.data(), code.size(), chunk.c_str(), "b") != LUA_OK) lua_error(lua);
        lua_call(lua, 0, 1);  // the wrapper gives the function that makes an instance
        lua_pushlstring(lua, name.data(), name.size());
        lua_pushvalue(lua, -2);
        lua_rawset(lua, -4);
    }
    sandbox.push_environment(lua);
    lua_call(lua, 1, 1);
    if (lua_isnil(lua, -1)) raise(lua, "modules/" + std::string(name) + ".lua returned nothing: end it with return");
    return 1;
}

int open_map(lua_State* lua) {
    at_the_top(lua, "map");
    const auto& maps = Sandbox::of(lua).library().data.maps;
    const auto found = maps.find(text_argument(lua, 1));
    if (found == maps.end()) raise(lua, no_such_file(text_argument(lua, 1), maps, "data/", ""));
    return push_object(lua, found->second, map_type);
}

int open_networks(lua_State* lua) {
    at_the_top(lua, "networks");
    const auto& networks = Sandbox::of(lua).library().data.networks;
    const auto found = networks.find(text_argument(lua, 1));
    if (found == networks.end()) raise(lua, no_such_file(text_argument(lua, 1), networks, "data/", ""));
    return push_object(lua, found->second, networks_type);
}

}  // namespace postern::script
