// The `proxy` verbs; see verbs.hpp.
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
    return text;
}

VerbResult failed(const Failure& failure, int status) { return {status, {}, failure.text + "\n"}; }

bool sends_credentials(const ProxySettings& settings) {
    const auto has = [](const std::optional<ProxyServer>& server) {
        return server && (!server->user.empty() || !server->password.empty());
    };
    return has(settings.http) || has(settings.https);
}

}  // namespace

std::vector<VerbSpec> ProxyVerbs::verbs() const {
    return {{"proxy show", "proxy show", "show the proxy server and bypass list in force", VerbRuns::here},
            {"proxy set", "proxy set PROXY [[--bypass] BYPASS]",
             "use a proxy: host:port or \"http=host:port;https=host:port\"; bypass \"<local>;*.contoso.com\"",
             VerbRuns::here},
            {"proxy direct", "proxy direct", "remove the proxy: fetch directly", VerbRuns::here}};
}

Pending<VerbResult> ProxyVerbs::run(std::vector<std::string> words) {
    const std::string_view verb = words.size() < 2 || words[0] != "proxy" ? "" : std::string_view(words[1]);
    if (verb == "show" && words.size() == 2) return show();
    if (verb == "direct" && words.size() == 2) return direct();
    if (verb == "set" && words.size() == 5 && words[3] == "--bypass") words.erase(words.begin() + 3);
    const bool option = words.size() >= 3 && (words[2].starts_with('-') || words.back().starts_with('-'));
    if (verb == "set" && (words.size() == 3 || words.size() == 4) && !option) return set(words);
    return VerbResult{usage_error, {}, "usage: proxy show | proxy set PROXY [[--bypass] BYPASS] | proxy direct\n"};
}

VerbResult ProxyVerbs::show() {
    const auto settings = file_.settings();
    if (!settings) return failed({{}, settings.failure.text + "\nNothing is fetched until it is mended."}, 1);
    return {0, described(file_.path(), *settings), {}};
}

VerbResult ProxyVerbs::set(const std::vector<std::string>& words) {
    auto settings = parse_proxy_value(words[2]);
    if (!settings) return failed(settings.failure, usage_error);
    auto bypass = parse_bypass(words.size() == 4 ? words[3] : "");
    if (!bypass) return failed(bypass.failure, usage_error);
    settings->bypass = *bypass;
    if (const auto failure = file_.write(*settings)) return failed(*failure, 1);
    VerbResult result{0, described(file_.path(), *settings) + "\nIn force at the next fetch.\n", {}};
    if (sends_credentials(*settings))
        result.err = "Warning: the proxy's user and password travel unencrypted, and stand in the file above.\n";
    return result;
}

VerbResult ProxyVerbs::direct() {
    if (const auto failure = file_.write({})) return failed(*failure, 1);
    return {0, described(file_.path(), {}) + "\nIn force at the next fetch.\n", {}};
}

}  // namespace postern::proxy_winhttp
