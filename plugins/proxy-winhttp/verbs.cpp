// The `proxy` verbs; see verbs.hpp.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <proxy-winhttp/proxy_import.hpp>
#include <proxy-winhttp/verbs.hpp>

namespace postern::proxy_winhttp {
namespace {

constexpr int usage_error = 2;

std::string described(const std::string& path, const ProxySettings& settings) {
    std::string text = "Proxy settings for fetching revocation lists, kept in\n\n  ";
    text += (path.empty() ? "(no configuration: nothing is kept)" : path) + ":\n\n";
    if (settings.direct()) return text + "    Direct access (no proxy server)\n";
    text += "    Proxy server(s) :  " + shown_proxy_value(settings) + "\n    Bypass list     :  ";
    std::string list;
    for (const auto& entry : settings.bypass) list += (list.empty() ? "" : ";") + entry;
    text += (list.empty() ? "(none)" : list) + "\n";
    if (!settings.http) text += "    http goes direct: the setting names no proxy server for it\n";
    if (!settings.https) text += "    https goes direct: the setting names no proxy server for it\n";
    text += "    ldap and ldaps go direct: LDAP takes no proxy\n";
    return text;
}

VerbResult failed(const Failure& failure, int status) { return {status, {}, failure.text + "\n"}; }

std::string quoted(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\') (out += '\\') += static_cast<char>(c);
        else if (c < 0x20 || c == 0x7f) ((out += "\\u00") += digits[c >> 4]) += digits[c & 15];
        else out += static_cast<char>(c);
    }
    return out + "\"";
}

// Without credentials, as everything that is shown.
std::string as_json(const std::string& path, const ProxySettings& settings) {
    const auto server = [](const std::optional<ProxyServer>& one) {
        if (!one) return std::string("null");
        const bool credentials = !one->user.empty() || !one->password.empty();
        return "{\"host\": " + quoted(one->host) + ", \"port\": " + std::to_string(one->port) +
               ", \"credentials\": " + (credentials ? "true" : "false") + "}";
    };
    std::string bypass;
    for (const auto& entry : settings.bypass) bypass += (bypass.empty() ? "" : ", ") + quoted(entry);
    return "{\"file\": " + quoted(path) + ", \"http\": " + server(settings.http) +
           ", \"https\": " + server(settings.https) + ", \"ldap\": null, \"bypass\": [" + bypass + "]}\n";
}

Variables environment() {
    Variables variables;
    for (char** one = environ; one && *one; ++one) {
        const std::string_view line(*one);
        if (const auto equals = line.find('='); equals != std::string_view::npos)
            variables[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    }
    return variables;
}

std::string file_text(const char* path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// A fixed command, by its path: nothing of ours is in it, and where apt is not there it says nothing.
std::string apt_dump() {
    constexpr std::size_t most = 1u << 20;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen("/usr/bin/apt-config dump 2>/dev/null", "r"),
                                                               ::pclose);
    std::string text;
    std::array<char, 4096> part;
    while (pipe && text.size() < most) {
        const auto count = std::fread(part.data(), 1, part.size(), pipe.get());
        if (count == 0) break;
        text.append(part.data(), count);
    }
    return text;
}

struct Source {
    std::string_view name, shown;
    Outcome<std::optional<Imported>> (*read)();
};
constexpr std::array sources{
    Source{"environment", "the environment of this command", [] { return from_variables(environment()); }},
    Source{"system", "/etc/environment",
           [] { return from_variables(read_environment_file(file_text("/etc/environment"))); }},
    Source{"apt", "apt's configuration", [] { return from_apt(apt_dump()); }},
};

bool sends_credentials(const ProxySettings& settings) {
    const auto has = [](const std::optional<ProxyServer>& server) {
        return server && (!server->user.empty() || !server->password.empty());
    };
    return has(settings.http) || has(settings.https);
}

}  // namespace

std::vector<VerbSpec> ProxyVerbs::verbs() const {
    return {{"proxy show", "proxy show [--json]", "show the proxy server and bypass list in force", VerbRuns::here},
            {"proxy set", "proxy set PROXY [[--bypass] BYPASS]",
             "use a proxy: host:port or \"http=host:port;https=host:port\"; bypass \"<local>;*.contoso.com\"",
             VerbRuns::here},
            {"proxy direct", "proxy direct", "remove the proxy: fetch directly", VerbRuns::here},
            {"proxy import", "proxy import [environment|system|apt]",
             "use the proxy that the environment, /etc/environment or apt names: the first that names one",
             VerbRuns::here}};
}

Pending<VerbResult> ProxyVerbs::run(std::vector<std::string> words) {
    const std::string_view verb = words.size() < 2 || words[0] != "proxy" ? "" : std::string_view(words[1]);
    if (verb == "show" && words.size() == 2) return show(false);
    if (verb == "show" && words.size() == 3 && words[2] == "--json") return show(true);
    if (verb == "import" && words.size() <= 3) return import(words.size() == 3 ? words[2] : std::string());
    if (verb == "direct" && words.size() == 2) return direct();
    if (verb == "set" && words.size() == 5 && words[3] == "--bypass") words.erase(words.begin() + 3);
    const bool option = words.size() >= 3 && (words[2].starts_with('-') || words.back().starts_with('-'));
    if (verb == "set" && (words.size() == 3 || words.size() == 4) && !option) return set(words);
    return VerbResult{usage_error,
                      {},
                      "usage: proxy show [--json] | proxy set PROXY [[--bypass] BYPASS] | proxy direct\n"
                      "       | proxy import [environment|system|apt]\n"};
}

VerbResult ProxyVerbs::show(bool json) {
    const auto settings = file_.settings();
    if (!settings) return failed({{}, settings.failure.text + "\nNothing is fetched until it is mended."}, 1);
    return {0, json ? as_json(file_.path(), *settings) : described(file_.path(), *settings), {}};
}

VerbResult ProxyVerbs::set(const std::vector<std::string>& words) {
    auto settings = parse_proxy_value(words[2]);
    if (!settings) return failed(settings.failure, usage_error);
    auto bypass = parse_bypass(words.size() == 4 ? words[3] : "");
    if (!bypass) return failed(bypass.failure, usage_error);
    settings->bypass = *bypass;
    return put(*settings, {});
}

VerbResult ProxyVerbs::put(const ProxySettings& settings, std::string first) {
    if (const auto failure = file_.write(settings)) return failed(*failure, 1);
    VerbResult result{0, std::move(first) + described(file_.path(), settings) + "\nIn force at the next fetch.\n", {}};
    if (sends_credentials(settings))
        result.err =
            "Warning: the proxy is spoken to in plain HTTP. Unless it asks for Digest, its user and password travel\n"
            "unencrypted; and they stand in the file above, readable by its owner alone.\n";
    return result;
}

VerbResult ProxyVerbs::import(const std::string& only) {
    std::string asked;
    for (const auto& source : sources) {
        if (!only.empty() && only != source.name) continue;
        asked += (asked.empty() ? "" : ", ") + std::string(source.shown);
        const auto found = source.read();
        if (!found)
            return failed({{}, "Imported nothing from " + std::string(source.shown) + ": " + found.failure.text}, 1);
        if (!*found) continue;
        const auto& imported = **found;
        std::string told = "Imported from " + std::string(source.shown) + ".\n";
        for (const auto& note : imported.notes) told += "  " + note + "\n";
        return put(imported.settings, told + "\n");
    }
    if (asked.empty()) return {usage_error, {}, "usage: proxy import [environment|system|apt]\n"};
    return {1, {}, "No proxy is named by " + asked + "; what was set stays as it is.\n"};
}

VerbResult ProxyVerbs::direct() {
    if (const auto failure = file_.write({})) return failed(*failure, 1);
    return {0, described(file_.path(), {}) + "\nIn force at the next fetch.\n", {}};
}

}  // namespace postern::proxy_winhttp
