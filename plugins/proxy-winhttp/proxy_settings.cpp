// Reads and writes the text of proxy.info and matches the bypass list; see proxy_settings.hpp.
#include <algorithm>
#include <charconv>
#include <proxy-winhttp/proxy_settings.hpp>

namespace postern::proxy_winhttp {
namespace {

constexpr std::size_t longest_value = 2048;
constexpr std::size_t most_entries = 1000;

std::string lower(std::string_view text) {
    std::string folded(text);
    for (char& c : folded)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return folded;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':';
}

// Blanks and controls have no place in credentials: a `\n` in them could end a header line.
Outcome<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = static_cast<unsigned char>(text[i]);
        if (text[i] == '%') {
            const auto digits = text.substr(i + 1, 2);
            const auto end = digits.data() + digits.size();
            if (digits.size() < 2 || std::from_chars(digits.data(), end, value, 16).ptr != end)
                return Failure{"bad-proxy", "a `%` in the proxy's credentials is not followed by two hex digits"};
            i += 2;
        }
        if (value < 0x20 || value == 0x7f)
            return Failure{"bad-proxy", "the proxy's credentials hold a control character"};
        decoded += static_cast<char>(value);
    }
    return decoded;
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        const bool plain = (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'z') ||
                           (octet >= 'A' && octet <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) encoded += c;
        else encoded += {'%', digits[octet >> 4], digits[octet & 15]};
    }
    return encoded;
}

// The text may be a password that was mistyped, so no failure repeats what stands before an `@`.
Failure not_a_proxy(std::string_view host_part, std::string_view problem) {
    return {"bad-proxy", "proxy `" + std::string(host_part) + "`: " + std::string(problem) + "; write host:port"};
}

std::optional<Failure> take_credentials(std::string_view text, ProxyServer& server) {
    const auto colon = text.find(':');
    auto user = percent_decoded(text.substr(0, colon));
    auto password =
        colon == std::string_view::npos ? Outcome<std::string>(std::string()) : percent_decoded(text.substr(colon + 1));
    if (!user) return user.failure;
    if (!password) return password.failure;
    server.user = *user;
    server.password = *password;
    return std::nullopt;
}

Outcome<ProxyServer> parse_server(std::string_view text) {
    ProxyServer server;
    if (text.starts_with("http://")) text.remove_prefix(7);
    if (text.find("://") != std::string_view::npos)
        return not_a_proxy(text.substr(text.rfind('@') + 1), "a proxy is spoken to in HTTP, not over TLS or SOCKS");
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        if (auto failure = take_credentials(text.substr(0, at), server)) return *failure;
        text.remove_prefix(at + 1);
    }
    if (text.ends_with('/')) text.remove_suffix(1);
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || text.ends_with(']')) return not_a_proxy(text, "the port is missing");
    const auto digits = text.substr(colon + 1);
    unsigned port = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || port == 0 || port > 65535)
        return not_a_proxy(text, "the port is not a number from 1 to 65535");
    server.port = static_cast<std::uint16_t>(port);
    server.host = lower(text.substr(0, colon));
    const bool bracketed = server.host.starts_with('[') && server.host.ends_with(']');
    if (bracketed) server.host = server.host.substr(1, server.host.size() - 2);
    if (server.host.empty()) return not_a_proxy(text, "the host is missing");
    if (!std::all_of(server.host.begin(), server.host.end(), is_host_character) ||
        (!bracketed && server.host.find(':') != std::string::npos))
        return not_a_proxy(text, "that is no host name");
    return server;
}

// A value in double quotes, `"` and `\` escaped; the rest of the line may only be a comment.
struct Line {
    std::vector<std::string> words;
    std::string problem;
};

std::size_t read_quoted(std::string_view text, std::size_t at, Line& line) {
    std::string word;
    for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        word += text[at];
    }
    if (at >= text.size()) line.problem = "a quoted value does not end";
    line.words.push_back(std::move(word));
    return at + 1;
}

Line split(std::string_view text) {
    Line line;
    std::size_t at = 0;
    while (at < text.size() && line.problem.empty()) {
        if (is_blank(text[at])) {
            ++at;
        } else if (text[at] == ';') {
            break;
        } else if (text[at] == '"') {
            at = read_quoted(text, at, line);
        } else {
            const auto end = std::min(text.find_first_of(" \t\r;\"", at), text.size());
            line.words.emplace_back(text.substr(at, end - at));
            at = end;
        }
    }
    return line;
}

// Reads proxy.info line by line; every state that is left over at the end is a problem.
class InfoReader {
public:
    std::string take(std::string_view text) {
        auto line = split(text);
        if (!line.problem.empty()) return line.problem;
        if (line.words.empty()) return {};
        if (place_ == Place::in_bypass) return take_entry(line.words);
        if (place_ == Place::before_brace) return open(line.words);
        if (line.words[0] == "proxy") return take_proxy(line.words);
        if (line.words[0] == "bypass") return take_bypass(line.words);
        return "unknown key `" + line.words[0] + "`: only `proxy` and `bypass` are known here";
    }
    std::string finish() const { return place_ == Place::top ? "" : "the block `bypass` is not closed"; }
    ProxySettings settings() const {
        auto all = settings_;
        all.bypass = bypass_;
        return all;
    }

private:
    enum class Place { top, before_brace, in_bypass };

    std::string take_proxy(const std::vector<std::string>& words) {
        if (words.size() != 2) return "`proxy` takes one value; quote one that holds a blank or `;`";
        if (std::exchange(proxy_seen_, true)) return "`proxy` stands here twice";
        auto parsed = parse_proxy_value(words[1]);
        if (!parsed) return parsed.failure.text;
        settings_ = *parsed;
        return {};
    }
    std::string take_bypass(const std::vector<std::string>& words) {
        if (std::exchange(bypass_seen_, true)) return "`bypass` stands here twice";
        place_ = Place::before_brace;
        if (words.size() == 1) return {};
        return open({words.begin() + 1, words.end()});
    }
    std::string open(const std::vector<std::string>& words) {
        if (words.size() != 1 || words[0] != "{") return "`bypass` is a block: { then one entry a line, then }";
        place_ = Place::in_bypass;
        return {};
    }
    std::string take_entry(const std::vector<std::string>& words) {
        if (words.size() != 1) return "one entry a line";
        if (words[0] == "}") {
            place_ = Place::top;
            return {};
        }
        auto parsed = parse_bypass(words[0]);
        if (!parsed) return parsed.failure.text;
        if (parsed->size() != 1) return "one entry a line";
        if (bypass_.size() >= most_entries) return "more than 1000 entries";
        bypass_.push_back(parsed->front());
        return {};
    }

    Place place_ = Place::top;
    bool proxy_seen_ = false, bypass_seen_ = false;
    ProxySettings settings_;
    std::vector<std::string> bypass_;
};

std::string written(const ProxyServer& server, bool shown) {
    std::string text;
    if (!server.user.empty() || !server.password.empty())
        text = shown ? "***@" : percent_encoded(server.user) + ":" + percent_encoded(server.password) + "@";
    const bool brackets = server.host.find(':') != std::string::npos;
    return text + (brackets ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
}

std::string written(const ProxySettings& settings, bool shown) {
    const auto http = settings.http ? written(*settings.http, false) : std::string();
    const auto https = settings.https ? written(*settings.https, false) : std::string();
    if (settings.http && http == https) return written(*settings.http, shown);
    std::string text;
    if (settings.http) text = "http=" + written(*settings.http, shown);
    if (settings.https) text += (text.empty() ? "https=" : ";https=") + written(*settings.https, shown);
    return text;
}

// Linear in both: after the last `*` only its own position is ever tried again.
bool glob_matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, retry = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace

Outcome<ProxySettings> parse_proxy_value(std::string_view value) {
    if (value.size() > longest_value) return Failure{"bad-proxy", "the value of `proxy` is longer than 2048 octets"};
    ProxySettings settings;
    if (trimmed(value).empty()) return Failure{"bad-proxy", "no proxy is named; `proxy direct` removes it"};
    bool for_all = false;
    while (!value.empty()) {
        const auto end = std::min(value.find(';'), value.size());
        auto part = trimmed(value.substr(0, end));
        value.remove_prefix(std::min(end + 1, value.size()));
        if (part.empty()) continue;
        const bool http = part.starts_with("http="), https = part.starts_with("https=");
        auto server = parse_server(http ? part.substr(5) : https ? part.substr(6) : part);
        if (!server) return server.failure;
        if (for_all || (http && settings.http) || (https && settings.https) || (!http && !https && !settings.direct()))
            return Failure{"bad-proxy", "a scheme has two proxies; name one for all, or http= and https= once each"};
        for_all = !http && !https;
        if (!https) settings.http = *server;
        if (!http) settings.https = *server;
    }
    if (settings.direct()) return Failure{"bad-proxy", "no proxy is named; `proxy direct` removes it"};
    return settings;
}

Outcome<std::vector<std::string>> parse_bypass(std::string_view value) {
    std::vector<std::string> entries;
    std::size_t at = 0;
    while (at < value.size()) {
        const auto end = std::min(value.find_first_of("; ,\t", at), value.size());
        auto entry = lower(value.substr(at, end - at));
        at = end + 1;
        if (entry.empty()) continue;
        const auto fits = [](char c) { return is_host_character(c) || c == '*' || c == '[' || c == ']'; };
        if (entry != "<local>" && !std::all_of(entry.begin(), entry.end(), fits))
            return Failure{"bad-proxy", "bypass entry `" + entry + "` is neither <local> nor a name with `*`"};
        if (entries.size() >= most_entries) return Failure{"bad-proxy", "more than 1000 bypass entries"};
        entries.push_back(std::move(entry));
    }
    return entries;
}

Outcome<ProxySettings> parse_proxy_info(std::string_view text) {
    InfoReader reader;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const auto end = std::min(text.find('\n'), text.size());
        const auto problem = reader.take(text.substr(0, end));
        if (!problem.empty()) return Failure{"bad-proxy", "line " + std::to_string(number) + ": " + problem};
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (const auto problem = reader.finish(); !problem.empty()) return Failure{"bad-proxy", problem};
    return reader.settings();
}

std::string to_proxy_info(const ProxySettings& settings) {
    std::string text = "; Written by `postern proxy`; in force at the next fetch.\n";
    if (!settings.direct()) text += "proxy \"" + proxy_value(settings) + "\"\n";
    if (settings.bypass.empty()) return text;
    text += "bypass {\n";
    for (const auto& entry : settings.bypass) text += "  \"" + entry + "\"\n";
    return text + "}\n";
}

std::string proxy_value(const ProxySettings& settings) { return written(settings, false); }
std::string shown_proxy_value(const ProxySettings& settings) { return written(settings, true); }

bool bypasses(const std::vector<std::string>& bypass, std::string_view host, std::string& entry) {
    const auto name = lower(host);
    for (const auto& candidate : bypass) {
        const bool local = candidate == "<local>" && name.find_first_of(".:") == std::string::npos;
        if (!local && !glob_matches(candidate, name)) continue;
        entry = candidate;
        return true;
    }
    return false;
}

ProxyChoice choose_way(const ProxySettings& settings, std::string_view scheme, std::string_view host,
                       bool ignore_bypass) {
    ProxyChoice choice;
    std::string entry;
    if (settings.direct()) {
        choice.why = "no proxy server is set";
    } else if (scheme != "http" && scheme != "https") {
        choice = no_way("the proxy settings say nothing about " + std::string(scheme) + " URLs");
    } else if (const auto& server = scheme == "http" ? settings.http : settings.https; !server) {
        choice.why = "no proxy server is set for " + std::string(scheme);
    } else if (!ignore_bypass && bypasses(settings.bypass, host, entry)) {
        choice.why = "bypass " + entry;
    } else {
        choice = {false,        server->host,     server->port,
                  server->user, server->password, "proxy for " + std::string(scheme)};
    }
    return choice;
}

ProxyChoice no_way(std::string why) { return {false, {}, 0, {}, {}, std::move(why)}; }

}  // namespace postern::proxy_winhttp
