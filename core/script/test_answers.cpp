#include <algorithm>
#include <config/keys.hpp>
#include <policy/faults.hpp>
#include <script/test_answers.hpp>

namespace postern::script {

namespace {

constexpr int deepest = 8;

void set_text(lua_State* lua, const char* field, std::string_view text) {
    lua_pushlstring(lua, text.data(), text.size());
    lua_setfield(lua, -2, field);
}
void set_flag(lua_State* lua, const char* field, bool flag) {
    lua_pushboolean(lua, flag);
    lua_setfield(lua, -2, field);
}
void set_texts(lua_State* lua, const char* field, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    lua_newtable(lua);
    lua_Integer i = 0;
    for (const auto& one : texts) {
        lua_pushlstring(lua, one.data(), one.size());
        lua_rawseti(lua, -2, ++i);
    }
    lua_setfield(lua, -2, field);
}

void set_requirement(lua_State* lua, const Demand& demand) {
    lua_newtable(lua);
    if (demand.tls || demand.mutual) set_text(lua, "tls", demand.mutual ? "mutual" : "required");
    if (demand.minimum != TlsVersion::unknown)
        set_text(lua, "min_tls", demand.minimum == TlsVersion::tls13 ? "1.3" : "1.2");
    set_texts(lua, "issuer", demand.issuers);
    set_texts(lua, "names", demand.names);
    if (demand.purpose == Purpose::client) set_text(lua, "purpose", "client");
    lua_setfield(lua, -2, "requirement");
}

void set_effects(lua_State* lua, const std::vector<Effect>& effects) {
    lua_newtable(lua);
    lua_Integer i = 0;
    for (const auto& one : effects) {
        const auto* row = policy::find_effect(one.kind);
        lua_newtable(lua);
        set_text(lua, "effect", row->name);
        if (row->wants_name) set_text(lua, "name", one.name);
        if (row->wants_value) set_text(lua, "value", one.value);
        lua_rawseti(lua, -2, ++i);
    }
    lua_setfield(lua, -2, "effects");
}

void set_verdict(lua_State* lua, const Verdict& verdict) {
    constexpr const char* words[] = {"proceed", "defer", "reject"};
    set_text(lua, "verdict", words[static_cast<int>(verdict.kind) - 1]);
    if (verdict.kind == VerdictKind::proceed) return;
    const auto& reply = verdict.reply;
    set_text(lua, "reply", std::to_string(reply.code) + " " + reply.enhanced + " " + reply.text);
}

// What an event that takes a verdict of a transaction makes of a failure; the others log or remember it.
bool defers(const Fake& fake, const ScriptHost::Answer& answer) {
    if (!fake.row.envelope || !fake.row.verdict) return false;
    return answer.partner_failed || (answer.failed && !fake.entry.empty());
}

// ---- values ---------------------------------------------------------------------------------------------------------

std::string key_text(lua_State* lua, int index) {
    if (lua_type(lua, index) == LUA_TSTRING) return lua_tostring(lua, index);
    return "[" + written(lua, index) + "]";
}

void write_value(lua_State* lua, int index, int depth, std::string& into) {
    index = lua_absindex(lua, index);
    switch (lua_type(lua, index)) {
        case LUA_TSTRING:
            into += '"' + std::string(lua_tostring(lua, index)) + '"';
            return;
        case LUA_TTABLE:
            break;
        default:
            into += luaL_tolstring(lua, index, nullptr);
            lua_pop(lua, 1);
            return;
    }
    if (depth == deepest || into.size() > 300) {
        into += "{...}";
        return;
    }
    luaL_checkstack(lua, 10, "too many tables in one another");
    std::vector<std::string> entries;
    const auto length = static_cast<lua_Integer>(lua_rawlen(lua, index));
    lua_pushnil(lua);
    while (lua_next(lua, index)) {
        std::string entry;
        const bool in_list = lua_isinteger(lua, -2) && lua_tointeger(lua, -2) >= 1 && lua_tointeger(lua, -2) <= length;
        if (!in_list) entry = key_text(lua, -2) + " = ";
        write_value(lua, -1, depth + 1, entry);
        entries.push_back(std::move(entry));
        lua_pop(lua, 1);
    }
    if (length == 0) std::ranges::sort(entries);
    into += "{";
    for (const auto& one : entries) into += (into.ends_with('{') ? " " : ", ") + one;
    into += entries.empty() ? "}" : " }";
}

std::optional<std::string> differ(lua_State* lua, int got, int wanted, bool partly, const std::string& path, int depth);

// The first few, in one order whatever Lua's is.
std::optional<std::string> together(std::vector<std::string> found) {
    constexpr std::size_t most_told = 3;
    if (found.empty()) return std::nullopt;
    std::ranges::sort(found);
    std::string text = found.front();
    for (std::size_t i = 1; i < std::min(found.size(), most_told); ++i) text += "; " + found[i];
    return found.size() > most_told ? text + "; ..." : text;
}

// What is in the one table and not, or otherwise, in the other.
std::optional<std::string> tables_differ(lua_State* lua, int got, int wanted, bool partly, const std::string& path,
                                         int depth) {
    luaL_checkstack(lua, 10, "too many tables in one another");
    const auto below = [&](int key) {
        const auto name = key_text(lua, key);
        return path + (path.empty() || name.starts_with('[') ? "" : ".") + name;
    };
    std::vector<std::string> found;
    lua_pushnil(lua);
    while (lua_next(lua, wanted)) {
        lua_pushvalue(lua, -2);
        lua_rawget(lua, got);
        if (auto one = differ(lua, lua_gettop(lua), lua_gettop(lua) - 1, partly, below(-3), depth + 1))
            found.push_back(std::move(*one));
        lua_pop(lua, 2);
    }
    // A list is wanted whole, also where fields are not.
    if (partly && lua_rawlen(lua, got) == 0) return together(std::move(found));
    lua_pushnil(lua);
    while (lua_next(lua, got)) {
        lua_pushvalue(lua, -2);
        if (lua_rawget(lua, wanted) == LUA_TNIL)
            found.push_back(below(-3) + ": wanted nothing, got " + written(lua, -2));
        lua_pop(lua, 2);
    }
    return together(std::move(found));
}

std::optional<std::string> differ(lua_State* lua, int got, int wanted, bool partly, const std::string& path,
                                  int depth) {
    if (lua_rawequal(lua, got, wanted)) return std::nullopt;
    if (depth < deepest && lua_istable(lua, got) && lua_istable(lua, wanted))
        return tables_differ(lua, got, wanted, partly, path, depth);
    return (path.empty() ? "" : path + ": ") + "wanted " + written(lua, wanted) + ", got " + written(lua, got);
}

}  // namespace

void push_answer(lua_State* lua, const Fake& fake, const ScriptHost::Answer& answer) {
    const bool failed = answer.failed || answer.partner_failed;
    const auto& decision = answer.decision;
    lua_newtable(lua);
    set_flag(lua, "failed", failed);
    set_flag(lua, "spoke", decision.spoke);
    if (failed) set_text(lua, "why", answer.error);
    if (defers(fake, answer)) {
        set_verdict(lua, policy::policy_failed(fake.domain, fake.session.id_));
        set_effects(lua, {});
        return;
    }
    set_verdict(lua, decision.verdict);
    if (decision.demand) set_requirement(lua, *decision.demand);
    set_effects(lua, decision.effects);
}

std::string written(lua_State* lua, int index) {
    std::string text;
    write_value(lua, index, 0, text);
    if (text.size() > 160) text = text.substr(0, 160) + "...";
    return text;
}

std::optional<std::string> difference(lua_State* lua, int got, int wanted, bool partly) {
    const int top = lua_gettop(lua);
    auto found = differ(lua, lua_absindex(lua, got), lua_absindex(lua, wanted), partly, {}, 0);
    lua_settop(lua, top);
    return found;
}

}  // namespace postern::script
