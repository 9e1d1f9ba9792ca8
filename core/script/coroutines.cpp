#include <script/coroutines.hpp>

namespace postern::script {

Coroutine Coroutines::take(lua_State* lua) {
    Coroutine coroutine;
    if (!idle_.empty()) {
        coroutine = idle_.back();
        idle_.pop_back();
    } else {
        coroutine.thread = lua_newthread(lua);
        coroutine.reference = luaL_ref(lua, LUA_REGISTRYINDEX);
    }
    ++taken_;
    return coroutine;
}

void Coroutines::give_back(lua_State* lua, Coroutine coroutine) {
    lua_settop(coroutine.thread, 0);
    --taken_;
    if (idle_.size() < most_idle) idle_.push_back(coroutine);
    else luaL_unref(lua, LUA_REGISTRYINDEX, coroutine.reference);
}

void Coroutines::drop(lua_State* lua, Coroutine coroutine) {
    --taken_;
    luaL_unref(lua, LUA_REGISTRYINDEX, coroutine.reference);
}

}  // namespace postern::script
