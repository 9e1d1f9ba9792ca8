// What a script finds in Lua's own libraries: nothing that reaches outside, and no C function that runs unbounded.
// Left out: io, os, debug, package, require, load and its like, collectgarbage, coroutine, pcall (an error ends the
// transaction, it is not swallowed), rawset and its like (they would pass by what is read-only), utf8, table.move,
// string.pack and dump.
#pragma once

#include <lua.hpp>

namespace postern::script {

// Pushes the table of what every script shares; read-only libraries inside it.
void push_libraries(lua_State* lua);
// Replaces the table on top by one that shows it and refuses assignment; reading an unknown field is an error with a
// suggestion. `name` begins such messages ("string").
void make_read_only(lua_State* lua, const char* name);

}  // namespace postern::script
