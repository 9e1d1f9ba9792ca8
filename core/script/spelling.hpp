// Finds misspelt fields of `postern` in a script's text, also inside handlers, which loading does not run: at run time
// such a typo would defer mail. Knows just enough of Lua to pass over comments and quoted texts.
#pragma once

#include <script/lua_state.hpp>
#include <vector>

namespace postern::script {

std::vector<LuaState::Fault> misspelt(std::string_view source, const std::vector<std::string>& fields);

}  // namespace postern::script
