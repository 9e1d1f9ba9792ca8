// Look-ups: in lists and files at once, in DNS and over HTTP by waiting. While one handler waits, its worker goes on
// with others.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <config/keys.hpp>
#include <mail/address.hpp>
#include <script/functions.hpp>

namespace postern::script {

namespace {

constexpr unsigned most_lookups = 20;       // a call
constexpr std::size_t most_waiting = 1000;  // in one state: each keeps its stack in the state's memory
constexpr std::size_t longest_url = 2048;

void push(lua_State* lua, std::optional<std::string_view> text) {
    if (text) lua_pushlstring(lua, text->data(), text->size());
    else lua_pushnil(lua);
}

Sandbox::Run& in_a_handler(lua_State* lua, const char* what) {
    auto* run = Sandbox::of(lua).running();
    if (!run) luaL_error(lua, "postern.%s belongs inside a handler", what);
    return *run;
}

// What resume() brought: a list (one text for http), or nil, token, sentence.
int answer(lua_State* lua, int, lua_KContext) {
    const auto& run = *Sandbox::of(lua).running();
    const auto& found = run.found;
    if (!found.failure.empty()) {
        lua_pushnil(lua);
        push(lua, found.failure);
        push(lua, found.sentence);
        return 3;
    }
    if (run.wanted.kind == LookupKind::http) {
        push(lua, found.texts.empty() ? std::string_view() : std::string_view(found.texts.front()));
        return 1;
    }
    lua_createtable(lua, static_cast<int>(found.texts.size()), 0);
    lua_Integer i = 0;
    for (const auto& text : found.texts) {
        push(lua, text);
        lua_rawseti(lua, -2, ++i);
    }
    return 1;
}

int wait_for(lua_State* lua, const char* what, Lookup wanted) {
    auto& run = in_a_handler(lua, what);
    if (!lua_isyieldable(lua))
        return luaL_error(lua, "postern.%s cannot wait inside a library's call (table.sort, string.gsub)", what);
    if (++run.lookups > most_lookups) return luaL_error(lua, "more than %d look-ups in one call", int{most_lookups});
    if (Sandbox::of(lua).waiting() > most_waiting)
        return luaL_error(lua, "more than %d calls are waiting for look-ups", static_cast<int>(most_waiting));
    run.wanted = std::move(wanted);
    return lua_yieldk(lua, 0, 0, answer);
}

}  // namespace

int ask_listed(lua_State* lua) {
    auto& sandbox = Sandbox::of(lua);
    if (sandbox.loading()) return luaL_error(lua, "postern.listed belongs inside a handler: lists are known then");
    const auto list = text_argument(lua, 1);
    const auto domain = mail::canonical_domain(text_argument(lua, 2));
    if (list != "send" && list != "receive")
        raise(lua, "there is no list \"" + std::string(list.substr(0, 60)) + "\"" +
                       config::nearest(list, {"send", "receive"}));
    const auto& listed = sandbox.parts().listed;
    const auto entry = domain && listed ? listed(list, *domain) : std::string_view();
    push(lua, entry.empty() ? std::nullopt : std::optional(entry));
    return 1;
}

int ask_dns(lua_State* lua) {
    static const std::vector<std::string> types{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "TXT"};
    const std::string type(text_argument(lua, 1).substr(0, 20));
    if (std::ranges::find(types, type) == types.end())
        raise(lua, "postern.dns: there is no type \"" + type + "\"" + config::nearest(type, types));
    auto name = std::string(text_argument(lua, 2));
    if (name.ends_with('.')) name.pop_back();
    // Underscores are fine here (_dmarc.example.org), so this is no canonical_domain().
    const bool good = !name.empty() && name.size() <= 253 &&
                      std::ranges::all_of(
                          name, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; }) &&
                      name.find("..") == std::string::npos && name.front() != '.';
    if (!good) raise(lua, "postern.dns: \"" + name.substr(0, 80) + "\" is no domain name (A-labels are wanted)");
    return wait_for(lua, "dns", {LookupKind::dns, type, name});
}

int ask_http(lua_State* lua) {
    const auto url = text_argument(lua, 1);
    if (!url.starts_with("http://") && !url.starts_with("https://"))
        return luaL_error(lua, "postern.http takes a URL that begins with http:// or https://");
    if (url.size() > longest_url || !std::ranges::all_of(url, [](char c) { return c > ' ' && c <= '~'; }))
        return luaL_error(lua, "postern.http takes a URL of at most 2048 printable octets without blanks");
    return wait_for(lua, "http", {LookupKind::http, {}, std::string(url)});
}

int find_in_map(lua_State* lua) {
    const auto& map = **static_cast<const KeyFile**>(luaL_checkudata(lua, 1, map_type));
    push(lua, map.find(text_argument(lua, 2)));
    return 1;
}

int find_domain_in_map(lua_State* lua) {
    const auto& map = **static_cast<const KeyFile**>(luaL_checkudata(lua, 1, map_type));
    push(lua, map.find_domain(text_argument(lua, 2)));
    return 1;
}

int find_network(lua_State* lua) {
    const auto& networks = **static_cast<const NetworkFile**>(luaL_checkudata(lua, 1, networks_type));
    push(lua, networks.find(text_argument(lua, 2)));
    return 1;
}

// RFC 5782 2.1 and 2.4: octets for IPv4, nibbles for IPv6.
int reversed_address(lua_State* lua) {
    const std::string literal(text_argument(lua, 1).substr(0, 64));
    std::array<unsigned char, 16> bytes{};
    std::string text;
    if (inet_pton(AF_INET, literal.c_str(), bytes.data()) == 1) {
        for (int i = 3; i >= 0; --i) text += std::to_string(bytes[static_cast<std::size_t>(i)]) + (i ? "." : "");
    } else if (inet_pton(AF_INET6, literal.c_str(), bytes.data()) == 1) {
        constexpr std::string_view digits = "0123456789abcdef";
        for (int i = 15; i >= 0; --i) {
            const auto byte = bytes[static_cast<std::size_t>(i)];
            text += {digits[byte & 15u], '.', digits[byte >> 4]};
            if (i) text += '.';
        }
    } else {
        raise(lua, "postern.reverse: \"" + literal + "\" is no address");
    }
    push(lua, text);
    return 1;
}

}  // namespace postern::script
