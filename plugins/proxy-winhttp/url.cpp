// The rules for URLs out of certificates; see url.hpp. Every refusal here is an attack or a mistake, named in its text.
#include <arpa/inet.h>
#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <proxy-winhttp/url.hpp>

namespace postern::proxy_winhttp {
namespace {

constexpr std::size_t longest_url = 2048;

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
    const std::unique_ptr<char, decltype(&curl_free)> owned(text, curl_free);
    return text;
}

std::string canonical_host(std::string_view text) {
    std::string host(text);
    for (char& c : host)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host.ends_with('.')) host.pop_back();
    return host;
}

bool is_host(std::string_view host) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':';
    };
    return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), fits) &&
           host.find("..") == std::string_view::npos && host.front() != '.';
}

// Also forms that only some resolvers take for an address: `127.1`, `0x7f.0.0.1`, `2130706433`.
bool is_literal_address(const std::string& host) {
    if (host.find(':') != std::string::npos) return true;
    in_addr v4{};
    if (::inet_aton(host.c_str(), &v4) != 0) return true;
    const auto last = host.substr(host.rfind('.') + 1);
    return std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; }) || last.starts_with("0x");
}

bool is_below(std::string_view host, std::string_view domain) {
    if (host == domain) return true;
    return host.size() > domain.size() && host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.';
}

bool port_allowed(const Url& url, const FetchRules& rules) {
    if (!rules.allowed_ports.empty()) return std::ranges::count(rules.allowed_ports, url.port) != 0;
    return url.port == (url.scheme == "http" ? 80 : 443);
}

}  // namespace

std::string printable(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string shown;
    for (const char c : text.substr(0, 300)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 0x20 && octet < 0x7f) shown += c;
        else shown += {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
    }
    return text.size() > 300 ? shown + "..." : shown;
}

Outcome<Url> Url::parse(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        return Failure{"crl-unreachable", "`" + printable(text) + "` is not fetched: " + std::string(why)};
    };
    if (text.size() > longest_url) return refuse("it is longer than 2048 octets");
    if (text.find('\0') != std::string_view::npos) return refuse("it holds a NUL");
    const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle(curl_url(), curl_url_cleanup);
    if (!handle || curl_url_set(handle.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK)
        return refuse("it is no http or https URL");
    Url url;
    url.scheme = part(handle.get(), CURLUPART_SCHEME);
    if (url.scheme != "http" && url.scheme != "https") return refuse("its scheme is neither http nor https");
    // libcurl also takes `http:/host` and an empty user (`http://@host/`): tricks to make people misread the host.
    const auto slashes = text.find("://");
    if (slashes != url.scheme.size()) return refuse("it is no http or https URL");
    const auto authority = text.substr(slashes + 3, text.find_first_of("/?#\\", slashes + 3) - slashes - 3);
    if (authority.find('@') != std::string_view::npos || !part(handle.get(), CURLUPART_USER).empty())
        return refuse("it holds credentials");
    url.host = canonical_host(part(handle.get(), CURLUPART_HOST));
    if (!is_host(url.host)) return refuse("its host is no host name");
    const auto port = part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (std::from_chars(port.data(), port.data() + port.size(), url.port).ec != std::errc() || url.port == 0)
        return refuse("its port is no port");
    curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
    url.text = part(handle.get(), CURLUPART_URL);
    return url;
}

bool named_by_operator(const Url& url, const FetchRules& rules) {
    return std::ranges::any_of(rules.allowed_hosts, [&](const auto& host) { return canonical_host(host) == url.host; });
}

std::optional<std::string> refusal(const Url& url, const FetchRules& rules) {
    if (!port_allowed(url, rules)) return "port " + std::to_string(url.port) + " is not among the allowed ports";
    if (named_by_operator(url, rules)) return std::nullopt;
    if (is_literal_address(url.host)) return "its host is a literal address, and not among the allowed hosts";
    if (url.host.find('.') == std::string::npos) return "its host is a single label, and not among the allowed hosts";
    for (const auto& own : rules.own_domains)
        if (is_below(url.host, canonical_host(own)))
            return "its host is under our own domain " + own + ", and not among the allowed hosts";
    return std::nullopt;
}

}  // namespace postern::proxy_winhttp
