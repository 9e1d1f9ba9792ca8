// The Lua threads of one state on which handlers run: those that ended well are used again, since making one costs as
// much as a short handler. A thread that failed is never used again.
#pragma once

#include <lua.hpp>
#include <vector>

namespace postern::script {

struct Coroutine {
    lua_State* thread = nullptr;
    int reference = LUA_NOREF;  // keeps it from Lua's collector
};

class Coroutines {
public:
    bool idle() const { return !idle_.empty(); }
    // Under LuaState::guard, unless one is idle: making one can meet the memory limit.
    Coroutine take(lua_State* lua);
    void give_back(lua_State* lua, Coroutine coroutine);
    void drop(lua_State* lua, Coroutine coroutine);
    std::size_t taken() const { return taken_; }

private:
    static constexpr std::size_t most_idle = 64;
    std::vector<Coroutine> idle_;
    std::size_t taken_ = 0;
};

}  // namespace postern::script
