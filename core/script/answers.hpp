// What a handler returned, read as a Decision: nil adds nothing, a table is a requirement, and postern.defer, reject
// and proceed make verdicts. Anything that is not understood to the letter is an error, so that a typo fails closed.
#pragma once

#include <lua.hpp>
#include <postern/decider.hpp>
#include <script/api.hpp>

namespace postern::script {

// Adds postern.defer, postern.reject and postern.proceed to the table on top.
void push_verdicts(lua_State* lua);

// Reads the values from stack position `first` to the top into `merged`, strictest wins. Raises Lua errors, without a
// position; to be called under LuaState::guard. True: something was returned.
bool read_answers(lua_State* lua, int first, Decision& merged);

// For the reference: the fields of a requirement.
ApiClass requirement_class();

// The stricter verdict of both.
void add(Decision& merged, Verdict verdict);

}  // namespace postern::script
