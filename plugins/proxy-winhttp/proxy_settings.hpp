// What proxy.info says, as values: which proxy serves which scheme, and which hosts go around it.
//
// Pure text in, text out; knows no files, no network and not that it is part of a plugin. The file is INFO with two
// keys, `proxy VALUE` and the block `bypass { ENTRY ... }`; VALUE is `host:port` for every scheme or
// `http=host:port;https=host:port`. Start at parse_proxy_info and choose_way.
#pragma once

#include <postern/fetch.hpp>
#include <postern/pending.hpp>

namespace postern::proxy_winhttp {

struct ProxyServer {
    std::string host;  // lower case; a literal IPv6 address without brackets
    std::uint16_t port = 0;
    std::string user, password;  // never logged, never shown
};

struct ProxySettings {
    std::optional<ProxyServer> http, https;  // none: that scheme goes direct
    std::vector<std::string> bypass;         // lower case: "<local>", names and addresses with `*`

    bool direct() const { return !http && !https; }
};

// The value of `proxy`; the failure names the part that is wrong, without any credentials.
Outcome<ProxySettings> parse_proxy_value(std::string_view value);
// `<local>;*.contoso.com`: entries apart by `;`, `,` or blanks.
Outcome<std::vector<std::string>> parse_bypass(std::string_view value);
// The whole file. An unknown key, a second value on a line, an open block: a failure that names the line.
Outcome<ProxySettings> parse_proxy_info(std::string_view text);
std::string to_proxy_info(const ProxySettings& settings);

// One value as written, credentials and all: for the file alone.
std::string proxy_value(const ProxySettings& settings);
// For people: credentials replaced by "***".
std::string shown_proxy_value(const ProxySettings& settings);

// `<local>`: a name without a period. `*` stands for any number of characters.
bool bypasses(const std::vector<std::string>& bypass, std::string_view host, std::string& entry);

ProxyChoice choose_way(const ProxySettings& settings, std::string_view scheme, std::string_view host,
                       bool ignore_bypass);

// The choice that says "the settings cannot be used": not direct, and no proxy either. Who sees it must fail.
ProxyChoice no_way(std::string why);

}  // namespace postern::proxy_winhttp
