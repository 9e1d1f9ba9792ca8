#include <algorithm>
#include <app/status.hpp>
#include <boost/json.hpp>

namespace postern::app {

namespace json = boost::json;

namespace {

// What is told of generations: the newest is in force, the others are held.
struct Generations {
    explicit Generations(const std::vector<Lifetimes::Living>& living) : alive(living.size()) {
        if (living.empty()) return;
        since = net::utc_text(living.back().since);
        for (const auto& one : living)
            if (&one != &living.back()) held += one.holders;
    }
    std::size_t alive, held = 0;
    std::string since;
};

std::string as_json(const net::Generation& generation, const net::Services& services, const Generations& all,
                    const std::vector<Alarm>& standing) {
    json::array alarms;
    for (const auto& alarm : standing)
        alarms.push_back(json::object{{"id", alarm.id}, {"subject", alarm.subject}, {"text", alarm.text}});
    const json::object shown{{"generation", generation.number},
                             {"since", all.since},
                             {"generations_alive", all.alive},
                             {"holders_of_older", all.held},
                             {"queued", services.counters.value("postern_queue_messages")},
                             {"sessions", services.counters.value("postern_sessions_open")},
                             {"alarms", alarms}};
    return json::serialize(shown) + "\n";
}

}  // namespace

VerbResult status_text(const net::Generation& generation, const net::Services& services,
                       const std::vector<Lifetimes::Living>& living, const std::vector<std::string>& words) {
    const auto standing = services.alarms.standing();
    const int status = standing.empty() ? 0 : 1;
    const Generations all(living);
    if (std::find(words.begin(), words.end(), "--json") != words.end())
        return {status, as_json(generation, services, all, standing), {}};
    const auto whole = [&](std::string_view name) {
        return std::to_string(static_cast<long long>(services.counters.value(name)));
    };
    std::string text =
        "generation " + std::to_string(generation.number) + " of " + generation.settings->file + " since " + all.since;
    if (all.alive > 1)
        text += "; " + std::to_string(all.alive - 1) + " older held by " + std::to_string(all.held) +
                " sessions and deliveries";
    text += "\nsessions " + whole("postern_sessions_open") + ", queued " + whole("postern_queue_messages") + "\n";
    text += "domain-secured messages received " + whole("postern_domain_secured_messages_received_total") + ", sent " +
            whole("postern_domain_secured_messages_sent_total") + ", outbound session failures " +
            whole("postern_domain_secured_outbound_session_failures_total") + "\n";
    for (const auto& plugin : services.plugins.loaded()) text += "plugin " + plugin.name + " " + plugin.version + "\n";
    for (const auto& alarm : standing) text += "ALARM " + alarm.id + " " + alarm.subject + ": " + alarm.text + "\n";
    if (standing.empty()) text += "no alarms\n";
    return {status, text, {}};
}

}  // namespace postern::app
