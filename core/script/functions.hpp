// The functions behind api.cpp's table, one group a file. Each raises Lua errors; those that wait yield and go on when
// the look-up was answered.
#pragma once

#include <lua.hpp>
#include <script/sandbox.hpp>

namespace postern::script {

// declaring.cpp: at the top of a file alone
int declare_handler(lua_State* lua);
int declare_timer(lua_State* lua);
int open_module(lua_State* lua);
int open_map(lua_State* lua);
int open_networks(lua_State* lua);

// asking.cpp: in handlers
int ask_listed(lua_State* lua);
int ask_dns(lua_State* lua);
int ask_http(lua_State* lua);
int find_in_map(lua_State* lua);
int find_domain_in_map(lua_State* lua);
int find_network(lua_State* lua);
int reversed_address(lua_State* lua);

// logging.cpp
int write_log(lua_State* lua);

constexpr const char* map_type = "postern.Map";
constexpr const char* networks_type = "postern.Networks";

// Raises an error with that text and the script's position.
[[noreturn]] void raise(lua_State* lua, const std::string& text);
std::string_view text_argument(lua_State* lua, int index);

}  // namespace postern::script
