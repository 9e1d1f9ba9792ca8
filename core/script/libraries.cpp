#include <config/keys.hpp>
#include <script/libraries.hpp>
#include <script/lua_state.hpp>
#include <script/pattern_cost.hpp>

namespace postern::script {

namespace {

constexpr lua_Integer longest_text = 1 << 20;   // that one call may make or take
constexpr lua_Integer longest_table = 1 << 20;  // more entries do not fit in the memory that a state has

// The wrapped function runs in the wrapper's own frame, so that its messages name the script's line and the function.
int call_wrapped(lua_State* lua) { return lua_tocfunction(lua, lua_upvalueindex(1))(lua); }

void check_sizes(lua_State* lua) {
    check_time(lua);
    for (int i = 1; i <= lua_gettop(lua); ++i)
        if (lua_type(lua, i) == LUA_TSTRING && lua_rawlen(lua, i) > static_cast<lua_Unsigned>(longest_text))
            luaL_argerror(lua, i, "is longer than 1 MiB");
}

int plain(lua_State* lua) {
    check_sizes(lua);
    return call_wrapped(lua);
}

// find, match, gmatch, gsub; the second upvalue says whether "^" anchors.
int matching(lua_State* lua) {
    check_sizes(lua);
    std::size_t subject = 0, size = 0;
    luaL_checklstring(lua, 1, &subject);
    const char* pattern = luaL_checklstring(lua, 2, &size);
    const bool anchors = lua_toboolean(lua, lua_upvalueindex(2));
    if (pattern_steps({pattern, size}, subject, anchors) > most_steps ||
        static_cast<double>(subject) * static_cast<double>(size) > 10 * most_steps)
        return luaL_error(lua,
                          "this pattern could take too long on %d octets: use fewer of * + - ?, begin it with ^, or "
                          "shorten the text",
                          static_cast<int>(subject));
    return call_wrapped(lua);
}

int repeating(lua_State* lua) {
    check_sizes(lua);
    std::size_t size = 0, between = 0;
    luaL_checklstring(lua, 1, &size);
    const auto times = luaL_checkinteger(lua, 2);
    luaL_optlstring(lua, 3, "", &between);
    const auto each = static_cast<lua_Integer>(size + between);  // both under 1 MiB
    if (times > longest_text || (each > 0 && times > longest_text / each))
        return luaL_error(lua, "string.rep would make more than 1 MiB");
    return call_wrapped(lua);
}

// With metamethods the C loops of the table functions could run for ever (__len of 2^62, __index by a C function); a
// table made to show such a length by itself is caught by the second check.
int on_table(lua_State* lua) {
    check_sizes(lua);
    luaL_checktype(lua, 1, LUA_TTABLE);
    if (lua_getmetatable(lua, 1)) return luaL_argerror(lua, 1, "is a table with a metatable: take a plain one");
    if (lua_rawlen(lua, 1) > static_cast<lua_Unsigned>(longest_table)) return luaL_argerror(lua, 1, "is too long");
    return call_wrapped(lua);
}

// Finalizers would run at any time, outside of any call's limits.
int set_metatable(lua_State* lua) {
    if (lua_istable(lua, 2)) {
        lua_pushliteral(lua, "__gc");
        if (lua_rawget(lua, 2) != LUA_TNIL) return luaL_argerror(lua, 2, "may not hold __gc");
        lua_pop(lua, 1);
    }
    return call_wrapped(lua);
}

int refuse_assignment(lua_State* lua) {
    return luaL_error(lua, "%s is read-only: assign to a local", lua_tostring(lua, lua_upvalueindex(1)));
}

int unknown_field(lua_State* lua) {
    const char* name = lua_tostring(lua, lua_upvalueindex(1));
    if (lua_type(lua, 2) != LUA_TSTRING) return luaL_error(lua, "%s has fields by name only", name);
    std::vector<std::string> known;
    lua_pushnil(lua);
    while (lua_next(lua, 1)) {
        known.emplace_back(lua_tostring(lua, -2));
        lua_pop(lua, 1);
    }
    const std::string text =
        "there is no " + std::string(name) + "." + lua_tostring(lua, 2) + config::nearest(lua_tostring(lua, 2), known);
    return luaL_error(lua, "%s", text.c_str());
}

struct Wrapped {
    const char* name;
    lua_CFunction guard;
    bool anchors = false;
};

// Copies the named functions of the library on top into a new table, each behind its guard; leaves that table.
void take(lua_State* lua, std::initializer_list<Wrapped> functions) {
    lua_newtable(lua);
    for (const auto& one : functions) {
        lua_getfield(lua, -2, one.name);
        lua_pushboolean(lua, one.anchors);
        lua_pushcclosure(lua, one.guard, 2);
        lua_setfield(lua, -2, one.name);
    }
    lua_remove(lua, -2);
}

void push_strings(lua_State* lua) {
    luaL_requiref(lua, "string", luaopen_string, 0);
    take(lua, {{"find", matching, true},
               {"match", matching, true},
               {"gsub", matching, true},
               {"gmatch", matching},
               {"rep", repeating},
               {"format", plain},
               {"lower", plain},
               {"upper", plain},
               {"reverse", plain},
               {"sub", plain},
               {"byte", plain},
               {"char", plain},
               {"len", plain}});
    make_read_only(lua, "string");
    // ("text"):find(...) goes by the strings' metatable, which the library made for itself.
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);
    lua_newtable(lua);
    lua_pushvalue(lua, -4);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -3);
    lua_pop(lua, 2);
}

void push_base(lua_State* lua) {
    luaL_requiref(lua, "_G", luaopen_base, 0);
    lua_newtable(lua);
    for (const char* name :
         {"assert", "error", "getmetatable", "ipairs", "next", "pairs", "select", "tonumber", "tostring", "type"}) {
        lua_getfield(lua, -2, name);
        lua_setfield(lua, -2, name);
    }
    lua_getfield(lua, -2, "setmetatable");
    lua_pushcclosure(lua, set_metatable, 1);
    lua_setfield(lua, -2, "setmetatable");
    lua_remove(lua, -2);
}

}  // namespace

void make_read_only(lua_State* lua, const char* name) {
    lua_newtable(lua);  // what is seen
    lua_newtable(lua);  // its metatable
    lua_pushstring(lua, name);
    lua_pushcclosure(lua, refuse_assignment, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    lua_newtable(lua);  // the fields' own metatable: what is missing there is missing
    lua_pushstring(lua, name);
    lua_pushcclosure(lua, unknown_field, 1);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -3);
    lua_remove(lua, -2);
}

void push_libraries(lua_State* lua) {
    push_base(lua);
    push_strings(lua);
    lua_setfield(lua, -2, "string");
    luaL_requiref(lua, "table", luaopen_table, 0);
    take(lua,
         {{"insert", on_table}, {"remove", on_table}, {"concat", on_table}, {"sort", on_table}, {"unpack", on_table}});
    make_read_only(lua, "table");
    lua_setfield(lua, -2, "table");
    luaL_requiref(lua, "math", luaopen_math, 0);
    make_read_only(lua, "math");
    lua_setfield(lua, -2, "math");
}

}  // namespace postern::script
