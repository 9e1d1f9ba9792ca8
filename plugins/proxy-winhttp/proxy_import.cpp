#include <algorithm>
#include <proxy-winhttp/proxy_import.hpp>

namespace postern::proxy_winhttp {
namespace {

std::string lower(std::string_view text) {
    std::string folded(text);
    for (char& c : folded)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return folded;
}

std::string_view trimmed(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

std::string_view unquoted(std::string_view text) {
    const bool quoted =
        text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
    return quoted ? text.substr(1, text.size() - 2) : text;
}

// One proxy for one scheme, named by whoever sets it.
Outcome<std::optional<ProxyServer>> one_server(const std::string& name, std::string_view value) {
    if (value.empty()) return std::optional<ProxyServer>();
    const auto parsed = parse_proxy_value(value);
    if (!parsed) return Failure{"bad-proxy", name + ": " + parsed.failure.text};
    return parsed->http;
}

// `contoso.com` and `.contoso.com` of no_proxy are the name and all below it; ports and networks have no counterpart.
void add_exception(std::string_view word, Imported& into) {
    auto name = lower(word);
    const auto colon = name.rfind(':');
    const bool has_port = colon != std::string::npos && name.find(':') == colon && name.front() != '[';
    if (has_port) name.resize(colon);
    if (name.find('/') != std::string::npos) {
        into.notes.push_back("`" + std::string(word) + "` is a network, which a bypass list cannot hold: left out");
        return;
    }
    if (has_port) into.notes.push_back("`" + std::string(word) + "` bypasses the proxy on every port");
    if (name.starts_with("*.")) name.erase(0, 1);
    const bool below_only = name.starts_with('.');
    const auto entries = parse_bypass(name == "*" ? name : below_only ? "*" + name : name);
    if (!entries || entries->empty()) {
        into.notes.push_back("`" + std::string(word) + "` is no host name: left out");
        return;
    }
    auto& bypass = into.settings.bypass;
    const auto add = [&bypass](const std::string& entry) {
        if (std::find(bypass.begin(), bypass.end(), entry) == bypass.end()) bypass.push_back(entry);
    };
    add(entries->front());
    const bool address =
        name.find_first_not_of("0123456789.") == std::string::npos || name.find(':') != std::string::npos;
    if (!below_only && !address && name != "*") add("*." + entries->front());
}

void add_exceptions(std::string_view list, Imported& into) {
    while (!list.empty()) {
        const auto end = std::min(list.find_first_of(", \t"), list.size());
        if (const auto word = trimmed(list.substr(0, end)); !word.empty()) add_exception(word, into);
        list.remove_prefix(std::min(end + 1, list.size()));
    }
}

std::string value_of(const Variables& variables, const std::string& name, std::string& found_as) {
    auto upper = name;
    for (char& c : upper)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    for (const auto& one : {name, upper})
        if (const auto found = variables.find(one); found != variables.end() && !trimmed(found->second).empty()) {
            found_as = one;
            return std::string(trimmed(found->second));
        }
    return {};
}

struct AptLine {
    std::string key, value;
};
// `Acquire::http::Proxy "http://proxy.contoso.com:3128/";`
std::optional<AptLine> apt_line(std::string_view line) {
    const auto open = line.find(" \"");
    const auto close = line.rfind("\";");
    if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) return std::nullopt;
    return AptLine{std::string(line.substr(0, open)), std::string(line.substr(open + 2, close - open - 2))};
}

std::optional<Failure> take_apt(const AptLine& line, Imported& into) {
    const auto key = lower(line.key);
    for (const bool tls : {false, true}) {
        const std::string name = tls ? "acquire::https::proxy" : "acquire::http::proxy";
        if (key.starts_with(name + "::") && lower(line.value) == "direct")
            add_exception(std::string_view(line.key).substr(name.size() + 2), into);
        if (key != name || line.value.empty() || lower(line.value) == "direct" || lower(line.value) == "false")
            continue;
        const auto server = one_server(line.key, line.value);
        if (!server) return server.failure;
        (tls ? into.settings.https : into.settings.http) = *server;
    }
    return std::nullopt;
}

}  // namespace

Variables read_environment_file(std::string_view text) {
    Variables variables;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with("export ")) line = trimmed(line.substr(7));
        const auto equals = line.find('=');
        if (line.starts_with('#') || equals == std::string_view::npos) continue;
        variables[std::string(trimmed(line.substr(0, equals)))] = unquoted(trimmed(line.substr(equals + 1)));
    }
    return variables;
}

Outcome<std::optional<Imported>> from_variables(const Variables& variables) {
    Imported imported;
    for (const bool tls : {false, true}) {
        std::string name;
        auto value = value_of(variables, tls ? "https_proxy" : "http_proxy", name);
        if (value.empty()) value = value_of(variables, "all_proxy", name);
        const auto server = one_server(name, value);
        if (!server) return server.failure;
        (tls ? imported.settings.https : imported.settings.http) = *server;
    }
    if (imported.settings.direct()) return std::optional<Imported>();
    std::string name;
    add_exceptions(value_of(variables, "no_proxy", name), imported);
    return std::optional<Imported>(std::move(imported));
}

Outcome<std::optional<Imported>> from_apt(std::string_view dump) {
    Imported imported;
    while (!dump.empty()) {
        const auto end = std::min(dump.find('\n'), dump.size());
        if (const auto line = apt_line(dump.substr(0, end)))
            if (const auto failure = take_apt(*line, imported)) return *failure;
        dump.remove_prefix(std::min(end + 1, dump.size()));
    }
    if (imported.settings.direct()) return std::optional<Imported>();
    if (!imported.settings.https) imported.settings.https = imported.settings.http;  // as apt itself falls back
    return std::optional<Imported>(std::move(imported));
}

}  // namespace postern::proxy_winhttp
