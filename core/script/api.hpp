// What scripts find in `postern`, in one table: it binds each function, docs/lua.md and the editor's annotations are
// printed from it. Events and effects stand in policy/events.cpp, fields of views in views.cpp, of requirements in
// answers.cpp.
#pragma once

#include <lua.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern::script {

// Types are those of LuaLS: "string", "integer?", "postern.Map".
struct ApiParameter {
    std::string_view name, type, explanation;
};

struct ApiRow {
    std::string_view name;  // "dns", or "Map:find" for a method
    std::span<const ApiParameter> parameters;
    std::string_view returns;  // types; empty: nothing
    std::string_view explanation;
    lua_CFunction function = nullptr;  // null: bound elsewhere (verdicts)
};

// A thing with fields as a script sees it: session, requirement.
struct ApiField {
    std::string_view name, type, explanation;
};
struct ApiClass {
    std::string_view name;  // "postern.Session"
    std::string_view explanation;
    std::vector<ApiField> fields;
};

std::span<const ApiRow> api_rows();
// Session, its TLS, envelope, what every event has, requirement.
std::vector<ApiClass> api_classes();

// Adds the functions of the table to the one on top, and makes their types known to the state.
void push_functions(lua_State* lua);

// Every name that `postern` has.
std::vector<std::string> postern_fields();

}  // namespace postern::script
