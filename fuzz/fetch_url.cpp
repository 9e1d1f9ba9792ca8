// A URL out of a certificate: parsed as libcurl will connect to it, held against the rules.
#include <proxy-winhttp/url.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto url = proxy_winhttp::Url::parse(text);
    if (!url) return url.failure.text.size() > 2000 ? __builtin_trap(), 0 : 0;
    FetchRules rules;
    rules.own_domains = {"contoso.com"};
    const auto why = refusal(*url, rules);
    // What passes is a name of several labels on the scheme's port, and parses again as itself.
    if (!why && (is_literal_address(url->host) || url->host.find('.') == std::string::npos ||
                 is_at_or_below(url->host, "contoso.com") || (url->port != 80 && url->port != 443)))
        __builtin_trap();
    const auto again = proxy_winhttp::Url::parse(url->text);
    if (!again || again->host != url->host || again->port != url->port || again->scheme != url->scheme)
        __builtin_trap();
    return 0;
}
