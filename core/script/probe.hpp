// The function that the source of branches.hpp calls, and how its chunk becomes the script's own.
#pragma once

#include <lua.hpp>
#include <script/branches.hpp>

namespace postern::script {

// Replaces the chunk on top, of a source with probes, by the script that it wraps. `branches` must outlive the state.
void unwrap_probed(lua_State* lua, std::vector<Branch>& branches);

}  // namespace postern::script
