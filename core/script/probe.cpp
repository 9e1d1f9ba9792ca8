#include <script/probe.hpp>

namespace postern::script {

// Arguments: the branch's number, then what the condition gave; the first of those is its value and is given back.
static int probe(lua_State* lua) {
    auto& branches = *static_cast<std::vector<Branch>*>(lua_touserdata(lua, lua_upvalueindex(1)));
    auto& branch = branches[static_cast<std::size_t>(lua_tointeger(lua, 1)) - 1];
    (lua_toboolean(lua, 2) ? branch.taken : branch.not_taken) = true;
    lua_settop(lua, 2);
    return 1;
}

void unwrap_probed(lua_State* lua, std::vector<Branch>& branches) {
    lua_pushlightuserdata(lua, &branches);
    lua_pushcclosure(lua, probe, 1);
    lua_call(lua, 1, 1);
}

}  // namespace postern::script
