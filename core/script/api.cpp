#include <policy/events.hpp>
#include <script/answers.hpp>
#include <script/api.hpp>
#include <script/functions.hpp>

namespace postern::script {

namespace {

// ---- the table ------------------------------------------------------------------------------------------------------

constexpr ApiParameter on_parameters[] = {{"event", "postern.EventName", "one of docs/events.md"},
                                          {"handler", "fun(session, envelope, event): ...", "is called at each"}};
constexpr ApiParameter every_parameters[] = {{"seconds", "integer", "10 to 86400"},
                                             {"handler", "fun(session: nil, envelope: nil, event: postern.Event)",
                                              "is called on every worker, in that worker's copy of the script"}};
constexpr ApiParameter module_parameters[] = {{"name", "string", "of modules/NAME.lua"}};
constexpr ApiParameter map_parameters[] = {{"file", "string", "below data/: \"vips.map\""}};
constexpr ApiParameter networks_parameters[] = {{"file", "string", "below data/: \"office.cidr\""}};
constexpr ApiParameter listed_parameters[] = {{"list", "\"send\"|\"receive\"", "which secure list"},
                                              {"domain", "string", "any form; canonical form is made of it"}};
constexpr ApiParameter dns_parameters[] = {
    {"type", "\"A\"|\"AAAA\"|\"CNAME\"|\"MX\"|\"NS\"|\"PTR\"|\"TXT\"", "record type"},
    {"name", "string", "A-labels; underscores are taken"}};
constexpr ApiParameter http_parameters[] = {{"url", "string", "its host stands in scripts { http_hosts { } }"}};
constexpr ApiParameter reverse_parameters[] = {{"address", "string", "as session.remote_address"}};
constexpr ApiParameter log_parameters[] = {
    {"text", "string", "printable ASCII; other octets become ?"},
    {"fields", "table<string, string|number|boolean>?", "written as name=value, at most 16"}};
constexpr ApiParameter reply_parameters[] = {{"text", "string", "of the reply, printable ASCII, up to 300 characters"}};
constexpr ApiParameter key_parameters[] = {{"key", "string", "compared in lower case"}};
constexpr ApiParameter domain_parameters[] = {{"domain", "string", "exact entry before the longest .suffix above it"}};
constexpr ApiParameter address_parameters[] = {{"address", "string", "IPv4 or IPv6; the longest prefix answers"}};

constexpr ApiRow rows[] = {
    {"on", on_parameters, "", "Has a function called at an event. At the top of a file.", declare_handler},
    {"every", every_parameters, "",
     "Has a function called again and again, for what is to be fetched ahead: what it keeps in locals of the file, "
     "handlers on the same worker see. At the top of a file.",
     declare_timer},
    {"module", module_parameters, "any",
     "What the module returns. Each script that asks has its own copy, the code is shared. At the top of a file.",
     open_module},
    {"map", map_parameters, "postern.Map",
     "A key-value file: a key and what belongs to it, one a line; # begins a comment line. At the top of a file; read "
     "anew at each reload.",
     open_map},
    {"networks", networks_parameters, "postern.Networks",
     "A file of networks (192.0.2.0/24 or 2001:db8::/32 and what belongs to it, one a line). At the top of a file.",
     open_networks},
    {"listed", listed_parameters, "string?", "The entry of that secure list which matches, or nil.", ask_listed},
    {"dns", dns_parameters, "string[]?, string?, string?",
     "Records as texts (MX: \"10 mail1.example.org\"), or nil, a token (nxdomain, no-data, dns-failed) and a sentence. "
     "The handler waits, its worker does not.",
     ask_dns},
    {"http", http_parameters, "string?, string?, string?",
     "The body of a GET (up to 64 KiB) by way of the proxy settings, or nil, a token (http-failed, host-not-allowed) "
     "and "
     "a sentence. No redirects. The handler waits, its worker does not.",
     ask_http},
    {"reverse", reverse_parameters, "string",
     "The address as DNS lists are asked for it: 192.0.2.1 gives 1.2.0.192 (RFC 5782).", reversed_address},
    {"log", log_parameters, "", "Writes a line script-log with file and line; 20 lines a call, the rest is dropped.",
     write_log},
    {"defer", reply_parameters, "postern.Verdict", "Answers 451 4.7.1 with that text: try again later."},
    {"reject", reply_parameters, "postern.Verdict", "Answers 550 5.7.1 with that text."},
    {"proceed", {}, "postern.Verdict", "Adds nothing, but the script has spoken."},
    {"Map:find", key_parameters, "string?", "What belongs to the key, or nil.", find_in_map},
    {"Map:find_domain", domain_parameters, "string?",
     "What belongs to the domain or to a suffix entry above it, or nil.", find_domain_in_map},
    {"Networks:find", address_parameters, "string?", "What belongs to the network that holds the address, or nil.",
     find_network},
};

// ---- binding --------------------------------------------------------------------------------------------------------

void make_type(lua_State* lua, const char* type, std::string_view prefix) {
    luaL_newmetatable(lua, type);
    lua_newtable(lua);
    for (const auto& row : rows) {
        if (!row.name.starts_with(prefix)) continue;
        lua_pushcfunction(lua, row.function);
        lua_setfield(lua, -2, row.name.data() + prefix.size());
    }
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

}  // namespace

std::span<const ApiRow> api_rows() { return rows; }

void push_functions(lua_State* lua) {
    make_type(lua, map_type, "Map:");
    make_type(lua, networks_type, "Networks:");
    for (const auto& row : rows) {
        if (!row.function || row.name.find(':') != std::string_view::npos) continue;
        lua_pushcfunction(lua, row.function);
        lua_setfield(lua, -2, row.name.data());
    }
}

std::vector<std::string> postern_fields() {
    std::vector<std::string> all;
    for (const auto& row : rows)
        if (row.name.find(':') == std::string_view::npos) all.emplace_back(row.name);
    for (const auto& row : policy::effect_rows()) all.emplace_back(row.name);
    return all;
}

std::vector<ApiClass> api_classes() {
    auto classes = view_classes();
    classes.push_back(requirement_class());
    return classes;
}

}  // namespace postern::script
