// URLs as strangers write them into certificates, and the rules that each one must pass, again at every redirect.
//
// Pure: no network, no settings beyond FetchRules. Parsing is libcurl's own, so that what was checked is what libcurl
// connects to.
#pragma once

#include <postern/fetch.hpp>
#include <postern/pending.hpp>

namespace postern::proxy_winhttp {

struct Url {
    std::string text;    // normalised, without fragment
    std::string scheme;  // "http" or "https"
    std::string host;    // lower case, without brackets and without a trailing dot
    std::uint16_t port = 0;

    static Outcome<Url> parse(std::string_view text);
};

// Whether the operator named this host: then literal addresses, single labels, own names and private addresses pass.
bool named_by_operator(const Url& url, const FetchRules& rules);
// The sentence that refuses it, or nothing.
std::optional<std::string> refusal(const Url& url, const FetchRules& rules);
// Controls and non-ASCII escaped, bounded: fit for a log line.
std::string printable(std::string_view text);

}  // namespace postern::proxy_winhttp
