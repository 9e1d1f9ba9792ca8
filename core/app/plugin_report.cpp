#include <algorithm>
#include <app/plugin_report.hpp>
#include <boost/json.hpp>
#include <policy/events.hpp>

namespace postern::app {

namespace json = boost::json;

namespace {

// "postern.fetcher.1 http": the role's short name, and under which name it is provided.
std::string short_name(std::string_view role) {
    role.remove_prefix(std::min(role.size(), role.find('.') + 1));
    return std::string(role.substr(0, role.rfind('.')));
}

std::string list_text(const std::vector<plugins::PluginSet::Loaded>& all) {
    std::string text;
    for (const auto& one : all) {
        std::string roles;
        for (const auto& role : one.roles) roles += (roles.empty() ? "" : ", ") + short_name(role);
        text += one.name + " " + one.version + "  " + one.state + "\n    file   " + one.file + "\n    sdk    " +
                one.sdk + "\n    roles  " + (roles.empty() ? "none" : roles) + "\n";
    }
    return text.empty() ? "no plugin is loaded\n" : text;
}

std::string list_json(const std::vector<plugins::PluginSet::Loaded>& all) {
    json::array list;
    for (const auto& one : all) {
        json::array roles(one.roles.begin(), one.roles.end());
        list.push_back(json::object{{"name", one.name},
                                    {"version", one.version},
                                    {"file", one.file},
                                    {"sdk", one.sdk},
                                    {"state", one.state},
                                    {"roles", roles}});
    }
    return json::serialize(list) + "\n";
}

// Who is asked, in which order: of a role with one provider the first wins and the others are never asked.
std::string order_text(const plugins::PluginSet& plugins, const std::vector<config::PluginEntry>& wanted) {
    std::string text = "roles with one provider (the first is asked, the others never)\n";
    const auto all = plugins.loaded();
    for (const auto role : {TlsEngine::id, ChainJudge::id, NameMatcher::id, RevocationChecker::id, ProxyResolver::id}) {
        std::string names;
        for (const auto& one : all)
            if (std::ranges::find(one.roles, role) != one.roles.end()) names += " " + one.name;
        text += "  " + short_name(role) + ":" + (names.empty() ? " nobody" : names) + "\n";
    }
    text += "deciders (scripts first; the strictest verdict wins)\n";
    const auto providers = plugins.providers(wanted);
    for (const auto& row : policy::event_rows()) {
        const auto deciders = providers->deciders(row.event);
        if (deciders.empty()) continue;
        text += "  " + std::string(row.name) + ":";
        for (const auto& one : deciders) text += " " + one.name;
        text += "\n";
    }
    text += "observers (told afterwards)\n";
    for (const auto& one : all)
        for (const auto role : {ProtocolObserver::id, Observer::id})
            if (std::ranges::find(one.roles, role) != one.roles.end())
                text += "  " + one.name + " (" + short_name(role) + ")\n";
    return text;
}

}  // namespace

VerbResult plugin_report(const plugins::PluginSet& plugins, const std::vector<config::PluginEntry>& wanted,
                         const std::vector<std::string>& words) {
    const bool json = words.size() == 3 && words[2] == "--json";
    if (words.size() == 2 && words[1] == "order") return {0, order_text(plugins, wanted), {}};
    if (words.size() >= 2 && words[1] == "list" && (words.size() == 2 || json))
        return {0, json ? list_json(plugins.loaded(true)) : list_text(plugins.loaded(true)), {}};
    return {64, {}, "usage: postern plugin list [--json] | order | check FILE...\n"};
}

}  // namespace postern::app
