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
    std::string_view name, type, explanation;
    void (*push)(lua_State*, const Question&);
};

constexpr Field session_fields[] = {
    {"id", "string", "as in the logs", [](lua_State* lua, const Question& q) { push(lua, q.session()->id()); }},
    {"connector", "string", "the connector's name",
     [](lua_State* lua, const Question& q) { push(lua, q.session()->connector()); }},
    {"remote_address", "string", "the peer's address",
     [](lua_State* lua, const Question& q) { push(lua, q.session()->remote_address()); }},
    {"helo", "string", "what it called itself, or empty",
     [](lua_State* lua, const Question& q) { push(lua, q.session()->helo()); }},
    {"outbound", "boolean", "true where we send",
     [](lua_State* lua, const Question& q) { lua_pushboolean(lua, q.session()->outbound()); }},
    // An object of its own: see read().
    {"tls", "postern.Tls?", "nil in clear", nullptr},
};

constexpr Field tls_fields[] = {
    {"version", "string", "TLS1.3 or TLS1.2",
     [](lua_State* lua, const Question& q) { push(lua, q.session()->tls()->protocol); }},
    {"cipher", "string", "its IANA name: TLS_AES_256_GCM_SHA384",
     [](lua_State* lua, const Question& q) { push(lua, q.session()->tls()->cipher); }},
    {"subject", "string?", "RFC 4514 text", push_of_leaf<&CertificateFacts::subject>},
    {"issuer", "string?", "RFC 4514 text", push_of_leaf<&CertificateFacts::issuer>},
    {"serial", "string?", "upper-case hex", push_of_leaf<&CertificateFacts::serial>},
    {"sha256", "string?", "thumbprint", push_of_leaf<&CertificateFacts::sha256>},
    {"names", "string[]?", "its DNS names", push_names},
};

constexpr Field envelope_fields[] = {
    {"sender", "string", "without brackets; empty for <>",
     [](lua_State* lua, const Question& q) { push(lua, q.envelope()->sender()); }},
    {"sender_domain", "string", "canonical, or empty",
     [](lua_State* lua, const Question& q) { push(lua, q.envelope()->sender_domain()); }},
    {"recipients", "string[]", "addresses; empty at mail", push_recipients},
    {"domain", "string", "the domain in question, canonical",
     [](lua_State* lua, const Question& q) { push(lua, q.domain()); }},
    {"partner", "string?", "the listed entry that it matches",
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
    {"name", "postern.EventName", "which it is",
     [](lua_State* lua, const Question& q) { push(lua, policy::find_event(q.event())->name); }},
    {"header", "string", "at header_end and message_end the header section, else empty",
     [](lua_State* lua, const Question& q) { push(lua, q.header()); }},
    {"fields", "{name: string, value: string}[]", "the same, values unfolded", push_fields},
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
    std::string_view class_name, explanation;
    std::span<const Field> fields;
};
const Look looks[] = {
    {"session", "postern.Session", "The first argument; nil where the event has no session.", session_fields},
    {"session.tls", "postern.Tls",
     "The connection, and the peer's certificate as presented, not yet verified; nil where it presented none.",
     tls_fields},
    {"envelope", "postern.Envelope", "The second argument; nil before MAIL.", envelope_fields},
    {"event", "postern.Event", "The third argument; its details beside these stand in events.md.", event_fields}};

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

std::vector<ApiClass> view_classes() {
    std::vector<ApiClass> classes;
    for (const auto& look : looks) {
        classes.push_back({look.class_name, look.explanation, {}});
        for (const auto& field : look.fields)
            classes.back().fields.push_back({field.name, field.type, field.explanation});
    }
    return classes;
}

Views make_views(lua_State* lua, const Question* const* shown) {
    Views views;
    views.tls = make(lua, tls_view, shown, LUA_NOREF);
    views.session = make(lua, session_view, shown, views.tls);
    views.envelope = make(lua, envelope_view, shown, LUA_NOREF);
    views.event = make(lua, event_view, shown, LUA_NOREF);
    return views;
}

}  // namespace postern::script
