// Pages printed from api.cpp's tables.
#pragma once

#include <string>

namespace postern::script {

std::string lua_page();         // docs/lua.md
std::string lua_annotations();  // scripts/annotations/postern.lua, for LuaLS

}  // namespace postern::script
