#include <algorithm>
#include <charconv>
#include <net/await.hpp>
#include <net/look_up.hpp>

namespace postern::net {

namespace {

constexpr std::chrono::milliseconds longest_lookup{5000};
constexpr std::uint64_t longest_body = 64u << 10;

script::Found failed(std::string token, std::string sentence) { return {{}, std::move(token), std::move(sentence)}; }

// Host and port of "http://host[:port]/..."; port 0: the scheme's own. User information is no host.
struct Authority {
    std::string host;
    std::uint16_t port = 0;
    bool good = false;
};
Authority authority_of(std::string_view url) {
    Authority authority;
    auto rest = url.substr(url.find("://") + 3);
    rest = rest.substr(0, rest.find_first_of("/?#"));
    const auto colon = rest.rfind(':');
    const bool literal = rest.starts_with('[');
    const bool with_port = colon != std::string_view::npos && (!literal || rest.rfind(']') < colon);
    authority.good = !rest.empty() && rest.find('@') == std::string_view::npos;
    if (with_port) {
        const auto text = rest.substr(colon + 1);
        const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), authority.port);
        authority.good &= wrong == std::errc() && end == text.data() + text.size() && authority.port != 0;
    }
    for (const char c : rest.substr(0, with_port ? colon : std::string_view::npos))
        authority.host += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return authority;
}

// The administrator names the hosts, so a script can be talked into none by what a stranger sent. Redirects would lead
// elsewhere: there are none.
std::optional<FetchRequest> request_for(const config::Settings& settings, const std::string& url) {
    const auto authority = authority_of(url);
    const auto with_port = authority.host + ":" + std::to_string(authority.port);
    const auto& hosts = settings.script_http_hosts;
    const auto named = [&](const std::string& one) { return std::ranges::find(hosts, one) != hosts.end(); };
    if (!authority.good || !(authority.port ? named(with_port) : named(authority.host))) return std::nullopt;
    FetchRequest request;
    request.url = url;
    request.rules.allowed_hosts = {authority.host};
    if (authority.port) request.rules.allowed_ports = {authority.port};
    request.rules.allow_private = true;
    request.rules.redirects = 0;
    request.rules.bytes = longest_body;
    return request;
}

awaitable<script::Found> by_http(const Services& services, const Generation& generation, std::string url,
                                 std::chrono::milliseconds time) {
    auto request = request_for(*generation.settings, url);
    if (!request) {
        auto found =
            failed("host-not-allowed",
                   "the host of " + url + " does not stand in scripts { http_hosts { } } (as HOST, or HOST:PORT)");
        co_return found;
    }
    auto* fetcher = services.plugins.fetcher(url.substr(0, url.find(':')));
    if (!fetcher) {
        auto found = failed("role-missing", "no plugin fetches such URLs: load proxy-winhttp");
        co_return found;
    }
    request->rules.timeout = time;
    auto pending = fetcher->fetch(std::move(*request));
    auto answer = co_await answer_of(std::move(pending), time, "late");
    script::Found found;
    if (answer) found.texts.emplace_back(answer->body.begin(), answer->body.end());
    else found = failed("http-failed", answer.failure.text);
    co_return found;
}

awaitable<script::Found> by_dns(const Services& services, script::Lookup wanted, std::chrono::milliseconds time) {
    auto records = co_await services.resolver.records(wanted.name, wanted.type, time);
    script::Found found;
    if (records) found.texts = std::move(*records);
    else found = failed(records.failure.token, records.failure.text);
    co_return found;
}

}  // namespace

awaitable<script::Found> look_up(const Services& services, const Generation& generation, const script::Lookup& wanted,
                                 std::chrono::milliseconds time) {
    const auto bound = std::clamp(time, std::chrono::milliseconds(1), longest_lookup);
    if (wanted.kind == script::LookupKind::http) co_return co_await by_http(services, generation, wanted.name, bound);
    co_return co_await by_dns(services, wanted, bound);
}

}  // namespace postern::net
