#include <config/keys.hpp>
#include <mail/header.hpp>
#include <policy/events.hpp>
#include <script/views.hpp>
#include <span>

namespace postern::script {

namespace {

void push(lua_State* lua, std::string_view text) { lua_pushlstring(lua, text.data(), text.size()); }

void push_list(lua_State* lua, const std::vector<std::string>& list) {
    lua_createtable(lua, static_cast<int>(list.size()), 0);
    lua_Integer i = 0;
    for (const auto& one : list) {
        push(lua, one);
        lua_rawseti(lua, -2, ++i);
    }
}

const CertificateFacts* leaf(const Question& question) {
    const auto* tls = question.session()->tls();
    return tls && !tls->peer_chain.empty() ? &tls->peer_chain.front() : nullptr;
}

// Of the peer's certificate; nil where it presented none.
template <std::string CertificateFacts::*member>
void push_of_leaf(lua_State* lua, const Question& question) {
    if (const auto* certificate = leaf(question)) push(lua, certificate->*member);
    else lua_pushnil(lua);
}

void push_names(lua_State* lua, const Question& question) {
    if (const auto* certificate = leaf(question)) push_list(lua, certificate->dns_names);
    else lua_pushnil(lua);
}

void push_recipients(lua_State* lua, const Question& question) {
    const auto count = question.envelope()->recipients();
    lua_createtable(lua, static_cast<int>(count), 0);
    for (std::size_t i = 0; i < count; ++i) {
        push(lua, question.envelope()->recipient(i));
        lua_rawseti(lua, -2, static_cast<lua_Integer>(i) + 1);
    }
}

struct Field {
    std::string_view name;
    void (*push)(lua_State*, const Question&);
};

constexpr Field session_fields[] = {
    {"id", [](lua_State* lua, const Question& q) { push(lua, q.session()->id()); }},
    {"connector", [](lua_State* lua, const Question& q) { push(lua, q.session()->connector()); }},
    {"remote_address", [](lua_State* lua, const Question& q) { push(lua, q.session()->remote_address()); }},
    {"helo", [](lua_State* lua, const Question& q) { push(lua, q.session()->helo()); }},
    {"outbound", [](lua_State* lua, const Question& q) { lua_pushboolean(lua, q.session()->outbound()); }},
    // "tls" is an object of its own: see read().
    {"tls", nullptr},
};

constexpr Field tls_fields[] = {
    {"version", [](lua_State* lua, const Question& q) { push(lua, q.session()->tls()->protocol); }},
    {"cipher", [](lua_State* lua, const Question& q) { push(lua, q.session()->tls()->cipher); }},
    {"subject", push_of_leaf<&CertificateFacts::subject>},
    {"issuer", push_of_leaf<&CertificateFacts::issuer>},
    {"serial", push_of_leaf<&CertificateFacts::serial>},
    {"sha256", push_of_leaf<&CertificateFacts::sha256>},
    {"names", push_names},
};

constexpr Field envelope_fields[] = {
    {"sender", [](lua_State* lua, const Question& q) { push(lua, q.envelope()->sender()); }},
    {"sender_domain", [](lua_State* lua, const Question& q) { push(lua, q.envelope()->sender_domain()); }},
    {"recipients", push_recipients},
    {"domain", [](lua_State* lua, const Question& q) { push(lua, q.domain()); }},
    {"partner",
     [](lua_State* lua, const Question& q) { q.partner().empty() ? lua_pushnil(lua) : push(lua, q.partner()); }},
};

// A list of { name = , value = }, values unfolded.
void push_fields(lua_State* lua, const Question& question) {
    lua_newtable(lua);
    lua_Integer i = 0;
    for (const auto& field : mail::fields(question.header())) {
        lua_createtable(lua, 0, 2);
        push(lua, field.name);
        lua_setfield(lua, -2, "name");
        push(lua, mail::unfolded(field.body));
        lua_setfield(lua, -2, "value");
        lua_rawseti(lua, -2, ++i);
    }
}

// What every event has; its own details stand in the table of policy/events.cpp.
constexpr Field event_fields[] = {
    {"name", [](lua_State* lua, const Question& q) { push(lua, policy::find_event(q.event())->name); }},
    {"header", [](lua_State* lua, const Question& q) { push(lua, q.header()); }},
    {"fields", push_fields},
};

bool push_detail(lua_State* lua, const Question& question, std::string_view wanted) {
    for (const auto& row : policy::find_event(question.event())->details) {
        if (row.name != wanted) continue;
        const auto text = std::string(question.detail(wanted).value_or(""));
        if (!row.number || !lua_stringtonumber(lua, text.c_str())) push(lua, text);
        return true;
    }
    return false;
}

enum Kind : int { session_view, tls_view, envelope_view, event_view };

struct Look {
    const char* name;
    std::span<const Field> fields;
};
const Look looks[] = {
    {"session", session_fields}, {"session.tls", tls_fields}, {"envelope", envelope_fields}, {"event", event_fields}};

// The object itself: which it is, and where the question stands.
struct View {
    Kind kind;
    const Question* const* shown;
};

int no_field(lua_State* lua, const Look& look, const Question& question, std::string_view field) {
    std::vector<std::string> known;
    for (const auto& one : look.fields) known.emplace_back(one.name);
    if (look.fields.data() == event_fields)
        for (const auto& one : policy::find_event(question.event())->details) known.emplace_back(one.name);
    const std::string text =
        "there is no " + std::string(look.name) + "." + std::string(field) + config::nearest(field, known);
    return luaL_error(lua, "%s", text.c_str());
}

// Upvalues: the View, then (for the session) its tls object.
int read(lua_State* lua) {
    const auto& view = *static_cast<const View*>(lua_touserdata(lua, lua_upvalueindex(1)));
    const auto& look = looks[view.kind];
    const Question* question = *view.shown;
    if (!question) return luaL_error(lua, "%s was kept after its call ended: copy what you need of it", look.name);
    std::size_t size = 0;
    if (lua_type(lua, 2) != LUA_TSTRING) return luaL_error(lua, "%s has fields by name only", look.name);
    const char* text = lua_tolstring(lua, 2, &size);
    const std::string_view wanted(text, size);
    for (const auto& field : look.fields) {
        if (field.name != wanted) continue;
        if (field.push) field.push(lua, *question);
        else if (question->session()->tls()) lua_pushvalue(lua, lua_upvalueindex(2));
        else lua_pushnil(lua);
        return 1;
    }
    if (view.kind == event_view && push_detail(lua, *question, wanted)) return 1;
    return no_field(lua, look, *question, wanted);
}

int refuse_write(lua_State* lua) { return luaL_error(lua, "%s is read-only", lua_tostring(lua, lua_upvalueindex(1))); }

// Makes one object, with `tls` as second upvalue of its reader where that is given.
int make(lua_State* lua, Kind kind, const Question* const* shown, int tls) {
    auto* view = static_cast<View*>(lua_newuserdatauv(lua, sizeof(View), 0));
    *view = {kind, shown};
    lua_newtable(lua);
    lua_pushvalue(lua, -2);
    if (tls == LUA_NOREF) lua_pushnil(lua);
    else lua_rawgeti(lua, LUA_REGISTRYINDEX, tls);
    lua_pushcclosure(lua, read, 2);
    lua_setfield(lua, -2, "__index");
    lua_pushstring(lua, looks[kind].name);
    lua_pushcclosure(lua, refuse_write, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_pushstring(lua, looks[kind].name);
    lua_setfield(lua, -2, "__name");
    lua_setmetatable(lua, -2);
    return luaL_ref(lua, LUA_REGISTRYINDEX);
}

}  // namespace

Views make_views(lua_State* lua, const Question* const* shown) {
    Views views;
    views.tls = make(lua, tls_view, shown, LUA_NOREF);
    views.session = make(lua, session_view, shown, views.tls);
    views.envelope = make(lua, envelope_view, shown, LUA_NOREF);
    views.event = make(lua, event_view, shown, LUA_NOREF);
    return views;
}

}  // namespace postern::script
