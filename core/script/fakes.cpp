#include <algorithm>
#include <config/keys.hpp>
#include <mail/address.hpp>
#include <script/fakes.hpp>
#include <span>

namespace postern::script {

namespace {

[[noreturn]] void refuse(lua_State* lua, const std::string& text) {
    luaL_error(lua, "%s", text.c_str());
    std::abort();  // luaL_error does not return
}

// ---- values, the one on top; `name` as messages say it --------------------------------------------------------------

std::string text_value(lua_State* lua, const std::string& name) {
    if (lua_type(lua, -1) != LUA_TSTRING) refuse(lua, name + " is a " + luaL_typename(lua, -1) + ", a text is wanted");
    std::size_t size = 0;
    const char* text = lua_tolstring(lua, -1, &size);
    return {text, size};
}

std::vector<std::string> texts_value(lua_State* lua, const std::string& name) {
    if (lua_type(lua, -1) == LUA_TSTRING) return {text_value(lua, name)};
    if (!lua_istable(lua, -1)) refuse(lua, name + " is a " + luaL_typename(lua, -1) + ", a list of texts is wanted");
    std::vector<std::string> texts;
    for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; ++i) {
        texts.push_back(text_value(lua, name + "[" + std::to_string(i) + "]"));
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    return texts;
}

bool flag_value(lua_State* lua, const std::string& name) {
    if (!lua_isboolean(lua, -1)) refuse(lua, name + " is a " + luaL_typename(lua, -1) + ", true or false is wanted");
    return lua_toboolean(lua, -1);
}

std::string domain_value(lua_State* lua, const std::string& name) {
    const auto text = text_value(lua, name);
    auto canonical = mail::canonical_domain(text);
    if (!canonical) refuse(lua, name + " = \"" + text + "\" is no domain name");
    return *canonical;
}

std::string domain_of(const std::string& address) {
    const auto at = address.rfind('@');
    if (at == std::string::npos) return {};
    const auto canonical = mail::canonical_domain(std::string_view(address).substr(at + 1));
    return canonical ? *canonical : std::string();
}

std::string address_value(lua_State* lua, const std::string& name) {
    auto text = text_value(lua, name);
    if (!text.empty() && domain_of(text).empty())
        refuse(lua, name + " = \"" + text + "\" is no address: user@domain, without brackets");
    return text;
}

// ---- tables ---------------------------------------------------------------------------------------------------------

struct Field {
    std::string_view name;
    void (*read)(lua_State*, Fake&, const std::string& name);
};

// Calls `take(field)` with each value on top; what is not a field's name there is an error.
template <class Take>
void each_field(lua_State* lua, const std::string& name, const Take& take) {
    if (!lua_istable(lua, -1)) refuse(lua, name + " is a " + luaL_typename(lua, -1) + ", a table is wanted");
    luaL_checkstack(lua, 10, "too many tables in one another");
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        if (lua_type(lua, -2) != LUA_TSTRING) refuse(lua, name + " has fields by name only");
        take(std::string(lua_tostring(lua, -2)));
        lua_pop(lua, 1);
    }
}

[[noreturn]] void no_field(lua_State* lua, const std::string& table, const std::string& field,
                           const std::vector<std::string>& known) {
    refuse(lua, "there is no " + table + "." + field.substr(0, 60) + config::nearest(field, known));
}

void read_fields(lua_State* lua, Fake& fake, const std::string& name, std::span<const Field> fields) {
    each_field(lua, name, [&](const std::string& field) {
        const auto found = std::ranges::find(fields, field, &Field::name);
        if (found != fields.end()) return found->read(lua, fake, name + "." + field);
        std::vector<std::string> known;
        for (const auto& one : fields) known.emplace_back(one.name);
        no_field(lua, name, field, known);
    });
}

CertificateFacts& leaf(Fake& fake) {
    auto& chain = fake.session.tls_->peer_chain;
    if (chain.empty()) chain.emplace_back();
    return chain.front();
}

template <std::string CertificateFacts::*member>
void read_of_leaf(lua_State* lua, Fake& fake, const std::string& name) {
    leaf(fake).*member = text_value(lua, name);
}

void read_version(lua_State* lua, Fake& fake, const std::string& name) {
    const auto text = text_value(lua, name);
    if (text != "TLS1.2" && text != "TLS1.3")
        refuse(lua, name + " = \"" + text.substr(0, 60) + "\" is not known, \"TLS1.2\" or \"TLS1.3\" is wanted" +
                        config::nearest(text, {"TLS1.2", "TLS1.3"}));
    fake.session.tls_->protocol = text;
    fake.session.tls_->version = text == "TLS1.2" ? TlsVersion::tls12 : TlsVersion::tls13;
}

constexpr Field tls_fields[] = {
    {"version", read_version},
    {"cipher", [](lua_State* lua, Fake& f, const std::string& n) { f.session.tls_->cipher = text_value(lua, n); }},
    {"subject", read_of_leaf<&CertificateFacts::subject>},
    {"issuer", read_of_leaf<&CertificateFacts::issuer>},
    {"serial", read_of_leaf<&CertificateFacts::serial>},
    {"sha256", read_of_leaf<&CertificateFacts::sha256>},
    {"names", [](lua_State* lua, Fake& f, const std::string& n) { leaf(f).dns_names = texts_value(lua, n); }},
};

void read_tls(lua_State* lua, Fake& fake, const std::string& name) {
    if (lua_isboolean(lua, -1) && !lua_toboolean(lua, -1)) return;  // in clear, said aloud
    fake.session.tls_.emplace();
    fake.session.tls_->version = TlsVersion::tls13;
    fake.session.tls_->protocol = "TLS1.3";
    fake.session.tls_->cipher = "TLS_AES_256_GCM_SHA384";
    read_fields(lua, fake, name, tls_fields);
}

template <std::string FakeSession::*member>
void read_of_session(lua_State* lua, Fake& fake, const std::string& name) {
    fake.session.*member = text_value(lua, name);
}

constexpr Field session_fields[] = {
    {"id", read_of_session<&FakeSession::id_>},
    {"connector", read_of_session<&FakeSession::connector_>},
    {"remote_address", read_of_session<&FakeSession::remote_address_>},
    {"helo", read_of_session<&FakeSession::helo_>},
    {"outbound", [](lua_State* lua, Fake& f, const std::string& n) { f.session.outbound_ = flag_value(lua, n); }},
    {"tls", read_tls},
};

[[noreturn]] void refuse_derived(lua_State* lua, Fake&, const std::string& name) {
    refuse(lua, name + (name.ends_with("partner") ? " is the entry that envelope.domain matches: say it with listed"
                                                  : " is found from the sender"));
}

constexpr Field envelope_fields[] = {
    {"sender",
     [](lua_State* lua, Fake& f, const std::string& n) {
         f.envelope.sender_ = address_value(lua, n);
         f.sender_said = true;
     }},
    {"recipients",
     [](lua_State* lua, Fake& f, const std::string& n) {
         for (const auto& one : texts_value(lua, n)) {
             if (domain_of(one).empty()) refuse(lua, n + ": \"" + one + "\" is no address: user@domain");
             f.envelope.recipients_.emplace_back(one, domain_of(one));
         }
     }},
    {"domain", [](lua_State* lua, Fake& f, const std::string& n) { f.domain = domain_value(lua, n); }},
    {"sender_domain", refuse_derived},
    {"partner", refuse_derived},
};

// ---- the event's own ------------------------------------------------------------------------------------------------

bool has_header(const Fake& fake) {
    return fake.row.event == Event::header_end || fake.row.event == Event::message_end;
}

// As it stands in a test: line ends of either kind, the empty line at the end or not.
std::string with_line_ends(const std::string& text) {
    std::string header;
    for (const char c : text) {
        if (c == '\r') continue;
        if (c == '\n') header += '\r';
        header += c;
    }
    if (!header.ends_with("\r\n")) header += "\r\n";
    if (!header.ends_with("\r\n\r\n")) header += "\r\n";
    return header;
}

void read_header_fields(lua_State* lua, Fake& fake) {
    if (!lua_istable(lua, -1)) refuse(lua, "event.fields is to be a list of { name = , value = }");
    std::string header;
    for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; ++i) {
        const auto place = "event.fields[" + std::to_string(i) + "]";
        std::string name, value;
        each_field(lua, place, [&](const std::string& field) {
            if (field == "name") name = text_value(lua, place + ".name");
            else if (field == "value") value = text_value(lua, place + ".value");
            else no_field(lua, place, field, {"name", "value"});
        });
        if (name.empty()) refuse(lua, place + " has no name");
        header += name + ": " + value + "\n";
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    fake.header = with_line_ends(header);
}

void read_detail(lua_State* lua, Fake& fake, const policy::DetailRow& row) {
    const auto name = "event." + std::string(row.name);
    if (!row.number) {
        fake.details.push_back({std::string(row.name), text_value(lua, name)});
        return;
    }
    if (!lua_isinteger(lua, -1) || lua_tointeger(lua, -1) < 0)
        refuse(lua, name + " is a " + luaL_typename(lua, -1) + ", a whole number from 0 is wanted");
    fake.details.push_back({std::string(row.name), std::to_string(lua_tointeger(lua, -1))});
}

void read_event(lua_State* lua, Fake& fake) {
    each_field(lua, "event", [&](const std::string& field) {
        for (const auto& row : fake.row.details)
            if (row.name == field) return read_detail(lua, fake, row);
        if (has_header(fake) && field == "fields") return read_header_fields(lua, fake);
        if (has_header(fake) && field == "header") {
            fake.header = with_line_ends(text_value(lua, "event.header"));
            return;
        }
        std::vector<std::string> known;
        for (const auto& row : fake.row.details) known.emplace_back(row.name);
        if (has_header(fake)) known.insert(known.end(), {"header", "fields"});
        refuse(lua, "the event " + std::string(fake.row.name) + " has no detail " + field.substr(0, 60) +
                        config::nearest(field, known));
    });
}

// ---- the whole ------------------------------------------------------------------------------------------------------

void read_list(lua_State* lua, const std::string& name, std::initializer_list<policy::SecureList*> lists) {
    for (const auto& text : texts_value(lua, name))
        for (auto* list : lists)
            if (!add_entry(*list, text)) refuse(lua, name + ": \"" + text + "\" is no domain name");
}

// One domain, a list of them, or a table with one for each list.
void read_lists(lua_State* lua, Fake& fake) {
    fake.lists = {};
    const bool both = lua_type(lua, -1) == LUA_TSTRING || (lua_istable(lua, -1) && lua_rawlen(lua, -1) > 0);
    if (both) return read_list(lua, "listed", {&fake.lists.send, &fake.lists.receive});
    if (lua_isboolean(lua, -1) && !lua_toboolean(lua, -1)) return;
    each_field(lua, "listed", [&](const std::string& field) {
        if (field == "send") read_list(lua, "listed.send", {&fake.lists.send});
        else if (field == "receive") read_list(lua, "listed.receive", {&fake.lists.receive});
        else no_field(lua, "listed", field, {"send", "receive"});
    });
}

// A text, a list of them, or { failure = "nxdomain" } as postern.dns would give it.
Found read_found(lua_State* lua, const std::string& name) {
    Found found;
    if (!lua_istable(lua, -1)) return found.texts = texts_value(lua, name), found;
    const bool failure = lua_getfield(lua, -1, "failure") != LUA_TNIL;
    lua_pop(lua, 1);
    if (!failure) return found.texts = texts_value(lua, name), found;
    found.sentence = "the test says so";
    each_field(lua, name, [&](const std::string& field) {
        if (field == "failure") found.failure = text_value(lua, name + ".failure");
        else if (field == "sentence") found.sentence = text_value(lua, name + ".sentence");
        else no_field(lua, name, field, {"failure", "sentence"});
    });
    return found;
}

void read_lookups(lua_State* lua, Fake& fake) {
    const std::vector<std::string> types{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "TXT"};
    const auto read_names = [&](const std::string& type, const std::string& table) {
        each_field(lua, table, [&](const std::string& name) {
            fake.lookups[{type, name}] = read_found(lua, table + "[\"" + name + "\"]");
        });
    };
    each_field(lua, "lookups", [&](const std::string& kind) {
        if (kind == "http") return read_names("", "lookups.http");
        if (kind != "dns") no_field(lua, "lookups", kind, {"dns", "http"});
        each_field(lua, "lookups.dns", [&](const std::string& type) {
            if (std::ranges::find(types, type) == types.end()) no_field(lua, "lookups.dns", type, types);
            read_names(type, "lookups.dns." + type);
        });
    });
}

void read_part(lua_State* lua, Fake& fake, const std::string& part) {
    const auto without = [&](const char* what) {
        refuse(lua, "the event " + std::string(fake.row.name) + " has no " + what);
    };
    if (part == "session") {
        if (!fake.row.session) without("session");
        read_fields(lua, fake, "session", session_fields);
    } else if (part == "envelope") {
        if (!fake.row.envelope) without("envelope");
        read_fields(lua, fake, "envelope", envelope_fields);
    } else if (part == "event") {
        read_event(lua, fake);
    } else if (part == "listed") {
        read_lists(lua, fake);
    } else if (part == "lookups") {
        read_lookups(lua, fake);
    } else {
        no_field(lua, "fake", part, {"session", "envelope", "event", "listed", "lookups"});
    }
}

std::string some_domain(const std::string& partner, const char* otherwise) {
    if (partner.empty()) return otherwise;
    return (partner.starts_with('.') ? "mail" : "") + partner;
}

// What the table left out, so that nothing contradicts what it said.
void complete_envelope(Fake& fake, const std::string& partner) {
    auto& envelope = fake.envelope;
    const bool out = fake.session.outbound_;
    const auto theirs = fake.domain.empty() ? some_domain(partner, "example.org") : fake.domain;
    const bool early =
        fake.row.event == Event::mail || fake.row.event == Event::recipient || fake.row.event == Event::peer_judged;
    if (envelope.recipients_.empty() && (out || !early)) {
        const auto domain = out ? theirs : "example.com";
        envelope.recipients_.emplace_back("recipient@" + domain, domain);
    }
    if (!fake.sender_said) envelope.sender_ = "sender@" + (out ? "example.com" : theirs);
    envelope.sender_domain_ = domain_of(envelope.sender_);
    if (fake.domain.empty()) fake.domain = out ? envelope.recipients_.front().second : envelope.sender_domain_;
}

void complete_details(Fake& fake) {
    const auto given = [&](std::string_view name) {
        return std::ranges::find(fake.details, name, &Detail::name) != fake.details.end();
    };
    for (const auto& row : fake.row.details) {
        if (given(row.name)) continue;
        std::string value = row.number ? "0" : "";
        if (fake.row.event == Event::recipient) {
            const auto asked = std::ranges::find(fake.details, "recipient", &Detail::name);
            if (row.name == "recipient") value = "recipient@example.com";
            else if (asked != fake.details.end()) value = domain_of(asked->value);
        }
        fake.details.push_back({std::string(row.name), value});
    }
}

}  // namespace

bool add_entry(policy::SecureList& list, std::string_view text) {
    const bool suffix = text.starts_with('.');
    const auto canonical = mail::canonical_domain(suffix ? text.substr(1) : text);
    if (!canonical) return false;
    list.add((suffix ? "." : "") + *canonical);
    return true;
}

std::unique_ptr<Fake> read_fake(lua_State* lua, int index, const policy::EventRow& row, const FakeLists& lists,
                                const std::string& partner) {
    auto fake = std::make_unique<Fake>(row);
    fake->session.outbound_ = row.event == Event::route || row.name.starts_with("outbound_");
    fake->lists = lists;
    if (!lua_isnoneornil(lua, index)) {
        lua_pushvalue(lua, index);
        each_field(lua, "fake", [&](const std::string& part) { read_part(lua, *fake, part); });
        lua_pop(lua, 1);
    }
    if (row.envelope) complete_envelope(*fake, partner);
    complete_details(*fake);
    const auto& list = fake->session.outbound_ ? fake->lists.send : fake->lists.receive;
    if (row.envelope) fake->entry = list.entry_for(fake->domain);
    return fake;
}

policy::AskedQuestion Fake::question() const {
    policy::AskedQuestion question(row.event, row.session ? &session : nullptr, row.envelope ? &envelope : nullptr,
                                   entry, domain);
    for (const auto& one : details) question.with(one.name, one.value);
    question.with_header(header);
    return question;
}

}  // namespace postern::script
