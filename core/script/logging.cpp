// postern.log: one line an event, with fields that can be searched for.
#include <algorithm>
#include <map>
#include <script/functions.hpp>

namespace postern::script {

namespace {

constexpr unsigned most_lines_logged = 20;  // a call; a loop must not fill the disk
constexpr std::size_t most_fields = 16;

bool plain(std::string_view name) {
    return !name.empty() && name.size() <= 40 && std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) || c == '_' || c == '-' || c == '.';
    });
}

// key=value, quoted where it has blanks, quotes or controls.
std::string field_text(std::string_view name, std::string_view value) {
    const bool bare = !value.empty() &&
                      std::ranges::all_of(value, [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '='; });
    std::string text = " " + std::string(name) + "=";
    if (bare) return text + std::string(value.substr(0, 200));
    text += '"';
    for (const char c : value.substr(0, 200)) {
        if (c == '"' || c == '\\') text += '\\';
        text += c >= ' ' && c <= '~' ? c : '?';
    }
    return text + '"';
}

std::string fields_text(lua_State* lua) {
    if (lua_isnoneornil(lua, 2)) return {};
    if (!lua_istable(lua, 2)) raise(lua, "postern.log takes a text and a table of fields");
    std::map<std::string, std::string> fields;  // in one order, whatever the table's is
    lua_pushnil(lua);
    while (lua_next(lua, 2)) {
        const std::string name = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "";
        if (!plain(name)) raise(lua, "postern.log: a field is named by letters, digits, _ - and .");
        switch (lua_type(lua, -1)) {
            case LUA_TSTRING:
            case LUA_TNUMBER:
            case LUA_TBOOLEAN:
                fields[name] = luaL_tolstring(lua, -1, nullptr);
                break;
            default:
                raise(lua, "postern.log: the field " + name + " is a " + luaL_typename(lua, -1) +
                               ", a text, number or boolean is wanted");
        }
        lua_pop(lua, 2);
        if (fields.size() > most_fields) raise(lua, "postern.log: more than 16 fields");
    }
    std::string text;
    for (const auto& [name, value] : fields) text += field_text(name, value);
    return text;
}

}  // namespace

int write_log(lua_State* lua) {
    auto& sandbox = Sandbox::of(lua);
    const auto text = text_argument(lua, 1);
    const auto fields = fields_text(lua);
    auto* run = sandbox.running();
    if (!run || !sandbox.parts().log || ++run->lines_logged > most_lines_logged) return 0;
    lua_Debug frame;
    LuaState::Fault line = located({}, 0);
    if (lua_getstack(lua, 1, &frame) && lua_getinfo(lua, "Sl", &frame)) {
        line.line = static_cast<std::uint32_t>(std::max(0, frame.currentline));
        if (frame.short_src[0] == '@') line.file = frame.short_src + 1;
    }
    for (const char c : text.substr(0, 400)) line.cause += c >= ' ' && c <= '~' ? c : '?';
    line.cause += fields;
    sandbox.parts().log(Severity::info, "script-log", to_text(*run->script->file, line));
    return 0;
}

}  // namespace postern::script
