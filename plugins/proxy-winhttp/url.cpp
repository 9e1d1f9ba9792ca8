// The rules for URLs out of certificates; see url.hpp. Every refusal here is an attack or a mistake, named in its text.
#include <curl/curl.h>

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

}  // namespace

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
    if (authority.empty()) return refuse("it names no host");  // libcurl forgives a third slash
    if (authority.find('@') != std::string_view::npos || !part(handle.get(), CURLUPART_USER).empty())
        return refuse("it holds credentials");
    // `6%362` is one host to some and another to the next: names need no escapes, and scopes of addresses are not ours.
    if (authority.find('%') != std::string_view::npos) return refuse("its host is no host name");
    url.host = canonical_host(part(handle.get(), CURLUPART_HOST));
    if (!is_host(url.host)) return refuse("its host is no host name");
    const auto port = part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (std::from_chars(port.data(), port.data() + port.size(), url.port).ec != std::errc() || url.port == 0)
        return refuse("its port is no port");
    curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
    url.text = part(handle.get(), CURLUPART_URL);
    return url;
}

}  // namespace postern::proxy_winhttp
