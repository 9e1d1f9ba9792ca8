#include <algorithm>
#include <app/status.hpp>
#include <boost/json.hpp>

namespace postern::app {

namespace json = boost::json;

VerbResult status_text(const net::Generation& generation, const Alarms& alarms, const Counters& counters,
                       const plugins::PluginSet& plugins, const std::vector<std::string>& words) {
    const auto standing = alarms.standing();
    const int status = standing.empty() ? 0 : 1;
    if (std::find(words.begin(), words.end(), "--json") != words.end()) {
        json::array all;
        for (const auto& alarm : standing)
            all.push_back(json::object{{"id", alarm.id}, {"subject", alarm.subject}, {"text", alarm.text}});
        const json::object shown{{"generation", generation.number},
                                 {"queued", counters.value("postern_queue_messages")},
                                 {"sessions", counters.value("postern_sessions_open")},
                                 {"alarms", all}};
        return {status, json::serialize(shown) + "\n", {}};
    }
    const auto whole = [&](std::string_view name) {
        return std::to_string(static_cast<long long>(counters.value(name)));
    };
    std::string text = "generation " + std::to_string(generation.number) + " of " + generation.settings->file + "\n";
    text += "sessions " + whole("postern_sessions_open") + ", queued " + whole("postern_queue_messages") + "\n";
    text += "domain-secured messages received " + whole("postern_domain_secured_messages_received_total") + ", sent " +
            whole("postern_domain_secured_messages_sent_total") + ", outbound session failures " +
            whole("postern_domain_secured_outbound_session_failures_total") + "\n";
    for (const auto& plugin : plugins.loaded()) text += "plugin " + plugin.name + " " + plugin.version + "\n";
    for (const auto& alarm : standing) text += "ALARM " + alarm.id + " " + alarm.subject + ": " + alarm.text + "\n";
    if (standing.empty()) text += "no alarms\n";
    return {status, text, {}};
}

}  // namespace postern::app
