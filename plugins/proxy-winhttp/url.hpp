// URLs as strangers write them into certificates, and the rules that each one must pass, again at every redirect.
//
// Pure: no network, no settings beyond FetchRules. Parsing is libcurl's own, so that what was checked is what libcurl
// connects to.
#pragma once

#include <postern/fetch_rules.hpp>
#include <postern/pending.hpp>

namespace postern::proxy_winhttp {

struct Url {
    std::string text;    // normalised, without fragment
    std::string scheme;  // "http" or "https"
    std::string host;    // lower case, without brackets and without a trailing dot
    std::uint16_t port = 0;

    static Outcome<Url> parse(std::string_view text);
};

inline std::optional<std::string> refusal(const Url& url, const FetchRules& rules) {
    return refusal(url.host, url.port, url.scheme == "http" ? 80 : 443, rules);
}

}  // namespace postern::proxy_winhttp
