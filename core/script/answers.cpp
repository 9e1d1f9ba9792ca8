#include <algorithm>
#include <config/keys.hpp>
#include <mail/address.hpp>
#include <policy/events.hpp>
#include <policy/evidence.hpp>
#include <script/answers.hpp>

namespace postern::script {

namespace {

constexpr const char* verdict_type = "postern verdict";
constexpr const char* effect_type = "postern effect";
constexpr std::size_t longest_reply = 300;
constexpr std::size_t most_alternatives = 64;

// One userdata a verdict: the kind, and the text as its user value.
int make_verdict(lua_State* lua) {
    const auto kind = static_cast<VerdictKind>(lua_tointeger(lua, lua_upvalueindex(1)));
    const char* name = lua_tostring(lua, lua_upvalueindex(2));
    if (kind != VerdictKind::proceed) {
        std::size_t size = 0;
        const char* text = luaL_checklstring(lua, 1, &size);
        if (size == 0 || size > longest_reply)
            return luaL_error(lua, "postern.%s takes a text of 1 to %d characters", name, int{longest_reply});
        if (!std::all_of(text, text + size, [](char c) { return c >= ' ' && c <= '~'; }))
            return luaL_error(lua, "postern.%s takes printable ASCII without line breaks", name);
    }
    const int most = kind == VerdictKind::proceed ? 0 : 1;
    if (lua_gettop(lua) > most)
        return luaL_error(lua, most ? "postern.%s takes one text" : "postern.%s takes nothing", name);
    *static_cast<VerdictKind*>(lua_newuserdatauv(lua, sizeof(VerdictKind), 1)) = kind;
    if (most) {
        lua_pushvalue(lua, 1);
        lua_setiuservalue(lua, -2, 1);
    }
    luaL_setmetatable(lua, verdict_type);
    return 1;
}

// One userdata an effect: the kind, name and value as its user values.
int make_effect(lua_State* lua) {
    const auto& row = policy::effect_rows()[static_cast<std::size_t>(lua_tointeger(lua, lua_upvalueindex(1)))];
    const int wanted = row.wants_name + row.wants_value;
    bool good = lua_gettop(lua) == wanted;
    for (int i = 1; i <= wanted; ++i) good &= lua_type(lua, i) == LUA_TSTRING;
    if (!good) return luaL_error(lua, "postern.%s takes (%s), as texts", row.name.data(), row.arguments.data());
    *static_cast<EffectKind*>(lua_newuserdatauv(lua, sizeof(EffectKind), 2)) = row.kind;
    if (row.wants_name) {
        lua_pushvalue(lua, 1);
        lua_setiuservalue(lua, -2, 1);
    }
    if (row.wants_value) {
        lua_pushvalue(lua, wanted);
        lua_setiuservalue(lua, -2, 2);
    }
    luaL_setmetatable(lua, effect_type);
    return 1;
}

[[noreturn]] void refuse(lua_State* lua, const std::string& text) {
    lua_pushlstring(lua, text.data(), text.size());
    lua_error(lua);
    std::abort();  // lua_error does not return
}

std::string text_field(lua_State* lua, const std::string& field) {
    if (lua_type(lua, -1) != LUA_TSTRING)
        refuse(lua, "requirement: " + field + " is a " + luaL_typename(lua, -1) + ", a text is wanted");
    std::size_t size = 0;
    const char* text = lua_tolstring(lua, -1, &size);
    if (size == 0 || size > 1024) refuse(lua, "requirement: " + field + " is empty or longer than 1024 octets");
    return {text, size};
}

// "one text" or { "several", "texts" }; an empty list would demand nothing and is a mistake.
std::vector<std::string> texts_field(lua_State* lua, const std::string& field) {
    if (!lua_istable(lua, -1)) return {text_field(lua, field)};
    std::vector<std::string> texts;
    const auto size = lua_rawlen(lua, -1);
    if (size == 0) refuse(lua, "requirement: " + field + " is an empty list: name one, or leave the field out");
    if (size > most_alternatives) refuse(lua, "requirement: " + field + " lists more than 64");
    lua_pushnil(lua);
    std::size_t entries = 0;
    for (; lua_next(lua, -2); ++entries) lua_pop(lua, 1);
    if (entries != size) refuse(lua, "requirement: " + field + " is to be a list: { \"one\", \"two\" }");
    for (lua_Unsigned i = 1; i <= size; ++i) {
        lua_rawgeti(lua, -1, static_cast<lua_Integer>(i));
        texts.push_back(text_field(lua, field));
        lua_pop(lua, 1);
    }
    return texts;
}

[[noreturn]] void no_such_value(lua_State* lua, const std::string& field, const std::string& value,
                                const std::vector<std::string>& known) {
    std::string wanted;
    for (const auto& one : known) wanted += (wanted.empty() ? "\"" : " or \"") + one + '"';
    refuse(lua, "requirement: " + field + " = \"" + value + "\" is not known, " + wanted + " is wanted" +
                    config::nearest(value, known));
}

void read_tls(lua_State* lua, Demand& demand) {
    const auto value = text_field(lua, "tls");
    if (value == "mutual") demand.mutual = demand.tls = true;
    else if (value == "required") demand.tls = true;
    else no_such_value(lua, "tls", value, {"mutual", "required"});
}

void read_minimum(lua_State* lua, Demand& demand) {
    const auto value = text_field(lua, "min_tls");
    if (value == "1.3") demand.minimum = TlsVersion::tls13;
    else if (value == "1.2") demand.minimum = TlsVersion::tls12;
    else no_such_value(lua, "min_tls", value, {"1.2", "1.3"});
}

void read_names(lua_State* lua, Demand& demand) {
    for (const auto& name : texts_field(lua, "names")) {
        auto canonical = mail::canonical_domain(name);
        if (!canonical) refuse(lua, "requirement: names: \"" + name + "\" is not a domain name");
        demand.names.push_back(std::move(*canonical));
    }
}

void read_purpose(lua_State* lua, Demand& demand) {
    const auto value = text_field(lua, "purpose");
    if (value != "client") no_such_value(lua, "purpose", value, {"client"});
    demand.purpose = Purpose::client;
}

struct Field {
    std::string_view name, type, explanation;
    void (*read)(lua_State*, Demand&);
};
constexpr Field fields[] = {
    {"tls", "\"required\"|\"mutual\"?", "TLS; certificates both ways, verified and speaking for the domain", read_tls},
    {"min_tls", "\"1.2\"|\"1.3\"?", "at least that version", read_minimum},
    {"issuer", "string|string[]?", "one occurs in an issuer's name of the verified path; includes tls = \"mutual\"",
     [](lua_State* lua, Demand& demand) { demand.issuers = texts_field(lua, "issuer"); }},
    {"names", "string|string[]?", "one is a name of the peer's certificate; includes tls = \"mutual\"", read_names},
    {"purpose", "\"client\"?", "issued for clients (clientAuth); includes tls = \"mutual\"", read_purpose},
};

void read_field(lua_State* lua, Demand& demand) {
    if (lua_type(lua, -2) != LUA_TSTRING)
        refuse(lua, std::string("requirement: a field is named by a ") + luaL_typename(lua, -2) +
                        ", write it as { tls = \"mutual\" }");
    const std::string_view name = lua_tostring(lua, -2);
    for (const auto& field : fields)
        if (field.name == name) return field.read(lua, demand);
    std::vector<std::string> known;
    for (const auto& field : fields) known.emplace_back(field.name);
    refuse(lua, "requirement: there is no field " + std::string(name.substr(0, 60)) + config::nearest(name, known));
}

Demand read_requirement(lua_State* lua, int index) {
    Demand demand;
    int count = 0;
    lua_pushnil(lua);
    for (; lua_next(lua, index); ++count) {
        read_field(lua, demand);
        lua_pop(lua, 1);
    }
    if (count == 0) refuse(lua, "requirement: an empty table demands nothing: return nil instead");
    // Without the judged certificate these would not be looked at, which must not pass for a demand that was met.
    if (!demand.issuers.empty() || !demand.names.empty() || demand.purpose == Purpose::client) {
        if (demand.tls && !demand.mutual) refuse(lua, "requirement: issuer, names and purpose need tls = \"mutual\"");
        demand.mutual = demand.tls = true;
    }
    return demand;
}

std::string user_text(lua_State* lua, int index, int which) {
    lua_getiuservalue(lua, index, which);
    std::size_t size = 0;
    const char* text = lua_tolstring(lua, -1, &size);
    std::string copy(text ? text : "", size);
    lua_pop(lua, 1);
    return copy;
}

Verdict read_verdict(lua_State* lua, int index) {
    const auto kind = *static_cast<const VerdictKind*>(lua_touserdata(lua, index));
    auto reply = user_text(lua, index, 1);
    if (kind == VerdictKind::reject) return Verdict::reject(std::move(reply), "5.7.1");
    if (kind == VerdictKind::defer) return Verdict::defer(std::move(reply), "4.7.1");
    return Verdict::proceed();
}

void push_effects(lua_State* lua) {
    luaL_newmetatable(lua, effect_type);
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
    lua_Integer place = 0;
    for (const auto& row : policy::effect_rows()) {
        lua_pushinteger(lua, place++);
        lua_pushcclosure(lua, make_effect, 1);
        lua_setfield(lua, -2, row.name.data());
    }
}

}  // namespace

ApiClass requirement_class() {
    ApiClass requirement{
        "postern.Requirement", "What a handler demands of the peer: a table with at least one of these.", {}};
    for (const auto& field : fields) requirement.fields.push_back({field.name, field.type, field.explanation});
    return requirement;
}

void push_verdicts(lua_State* lua) {
    luaL_newmetatable(lua, verdict_type);
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
    const std::pair<const char*, VerdictKind> kinds[] = {
        {"defer", VerdictKind::defer}, {"reject", VerdictKind::reject}, {"proceed", VerdictKind::proceed}};
    for (const auto& [name, kind] : kinds) {
        lua_pushinteger(lua, static_cast<lua_Integer>(kind));
        lua_pushstring(lua, name);
        lua_pushcclosure(lua, make_verdict, 2);
        lua_setfield(lua, -2, name);
    }
    push_effects(lua);
}

bool read_answers(lua_State* lua, int first, Decision& merged) {
    bool spoke = false;
    const int last = lua_gettop(lua);
    luaL_checkstack(lua, 20, "too many values returned");
    for (int i = first; i <= last; ++i) {
        if (lua_isnil(lua, i)) continue;
        spoke = true;
        if (luaL_testudata(lua, i, verdict_type)) {
            add(merged, read_verdict(lua, i));
        } else if (luaL_testudata(lua, i, effect_type)) {
            const auto kind = *static_cast<const EffectKind*>(lua_touserdata(lua, i));
            merged.effects.push_back({kind, user_text(lua, i, 1), user_text(lua, i, 2)});
        } else if (lua_istable(lua, i)) {
            auto demand = read_requirement(lua, i);
            merged.demand = merged.demand ? policy::strictest(*merged.demand, demand) : std::move(demand);
        } else if (lua_isfunction(lua, i)) {
            refuse(lua, "returned a function: call it, as in postern.proceed()");
        } else {
            refuse(lua, std::string("returned a ") + luaL_typename(lua, i) +
                            ": nil, a requirement table or a verdict is wanted");
        }
    }
    return spoke;
}

void add(Decision& merged, Verdict verdict) {
    if (static_cast<int>(verdict.kind) > static_cast<int>(merged.verdict.kind)) merged.verdict = std::move(verdict);
}

}  // namespace postern::script
