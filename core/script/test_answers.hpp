// A script's answer as the plain table that a test sees, and how two values of Lua are held against one another.
#pragma once

#include <optional>
#include <script/fakes.hpp>
#include <script/script_set.hpp>

namespace postern::script {

void push_answer(lua_State* lua, const Fake& fake, const ScriptHost::Answer& answer);

// A value as it would be written, in one bounded line.
std::string written(lua_State* lua, int index);
// Where and how they differ; nothing where they are the same. `partly`: tables need only what is wanted of them.
std::optional<std::string> difference(lua_State* lua, int got, int wanted, bool partly);

}  // namespace postern::script
