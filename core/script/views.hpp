// What a script sees of a session, its TLS connection, the envelope and the event: read-only objects, one of each a
// state, that show the question under way and are dead between calls. Names and meanings stand in the tables of
// views.cpp.
#pragma once

#include <lua.hpp>
#include <postern/decider.hpp>
#include <script/api.hpp>

namespace postern::script {

// The registry references of one state's objects.
struct Views {
    int session = LUA_NOREF, tls = LUA_NOREF, envelope = LUA_NOREF, event = LUA_NOREF;
};

// For the reference: session, its TLS, envelope, what every event has.
std::vector<ApiClass> view_classes();

// Makes them; each looks at `*shown`, which is null while no call runs.
Views make_views(lua_State* lua, const Question* const* shown);

}  // namespace postern::script
