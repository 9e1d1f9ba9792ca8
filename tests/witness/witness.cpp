// Says at each event what its settings tell it to, and writes down each event that it observes. A rule is one entry:
// "EVENT ACTION [NAME [VALUE]]" with an action of `rules_of()`.
#include <fstream>
#include <mutex>
#include <postern/plugin.hpp>
#include <sstream>
#include <thread>

using namespace postern;

namespace {

constexpr std::pair<Event, std::string_view> events[] = {
    {Event::start, "start"},
    {Event::stop, "stop"},
    {Event::config_validate, "config_validate"},
    {Event::config_reloaded, "config_reloaded"},
    {Event::timer, "timer"},
    {Event::connection, "connection"},
    {Event::ehlo, "ehlo"},
    {Event::starttls, "starttls"},
    {Event::client_hello, "client_hello"},
    {Event::tls_established, "tls_established"},
    {Event::tls_failed, "tls_failed"},
    {Event::auth, "auth"},
    {Event::peer_judged, "peer_judged"},
    {Event::partner_certificate, "partner_certificate"},
    {Event::mail, "mail"},
    {Event::recipient, "recipient"},
    {Event::data_start, "data_start"},
    {Event::header_end, "header_end"},
    {Event::message_end, "message_end"},
    {Event::queued, "queued"},
    {Event::disconnect, "disconnect"},
    {Event::outbound_requirement, "outbound_requirement"},
    {Event::route, "route"},
    {Event::outbound_connect, "outbound_connect"},
    {Event::outbound_ehlo, "outbound_ehlo"},
    {Event::delivery_result, "delivery_result"},
    {Event::notice, "notice"},
};

constexpr std::pair<EffectKind, std::string_view> effects[] = {
    {EffectKind::hide_extension, "hide_extension"},
    {EffectKind::add_extension, "add_extension"},
    {EffectKind::certificate, "certificate"},
    {EffectKind::request_certificate, "request_certificate"},
    {EffectKind::evidence, "evidence"},
    {EffectKind::add_field, "add_field"},
    {EffectKind::remove_field, "remove_field"},
    {EffectKind::rewrite_field, "rewrite_field"},
    {EffectKind::hold, "hold"},
    {EffectKind::discard, "discard"},
    {EffectKind::reroute, "reroute"},
    {EffectKind::host, "host"},
};

std::string_view name_of(Event event) {
    for (const auto& [one, name] : events)
        if (one == event) return name;
    return "?";
}

struct Rule {
    std::string event, action, name, value;
};

class Witness : public Plugin, public Decider, public Observer {
public:
    std::vector<KeySpec> keys() const override {
        return {{"rules", KeyKind::list, {}, "What to say, and when."},
                {"file", KeyKind::path, {}, "Where events are written down."},
                {"inline", KeyKind::yes_no, "no", "Whether it is asked on the worker."}};
    }
    void start(Registrar& registrar) override {
        const auto& settings = registrar.host().settings();
        for (const auto& text : settings.list("rules")) {
            std::istringstream words(text);
            Rule rule;
            words >> rule.event >> rule.action >> rule.name;
            std::getline(words >> std::ws, rule.value);
            rules_.push_back(std::move(rule));
        }
        file_ = settings.text("file");
        registrar.provide<Decider>(*this, settings.text("inline") == "yes" ? Runs::inline_ : Runs::lane);
        if (!file_.empty()) registrar.provide<Observer>(*this);
    }

    std::vector<Event> events() const override {
        std::vector<Event> all;
        for (const auto& [event, name] : ::events) all.push_back(event);
        return all;
    }

    Pending<Decision> decide(const Question& question) override {
        Decision decision;
        for (const auto& rule : rules_)
            if (rule.event == name_of(question.event())) say(rule, decision);
        return decision;
    }

    void saw(const Occurrence& what) override {
        std::ofstream out(file_, std::ios::app);
        out << name_of(what.event) << (what.outbound ? " out" : "") << " from=" << what.sender;
        for (const auto& one : what.recipients) out << " to=" << one;
        for (const auto& [name, value] : what.details) out << ' ' << name << '=' << value;
        out << " verdict=" << static_cast<int>(what.verdict.kind) << '\n';
    }

private:
    static void say(const Rule& rule, Decision& decision) {
        decision.spoke = true;
        if (rule.action == "throw") throw 1;
        if (rule.action == "block") std::this_thread::sleep_for(std::chrono::seconds(12));
        if (rule.action == "defer") decision.verdict = Verdict::defer("the witness defers", "4.7.1", 450);
        if (rule.action == "reject") decision.verdict = Verdict::reject("the witness rejects");
        if (rule.action == "mutual") decision.demand.emplace().mutual = true;
        if (rule.action == "nonsense") decision.verdict = Verdict::reject("no\r\nreply", "2.0.0", 999);
        if (rule.action == "unheard-of") decision.effects.push_back({static_cast<EffectKind>(999), {}, {}});
        for (const auto& [kind, name] : effects)
            if (name == rule.action) decision.effects.push_back({kind, rule.name, rule.value});
    }

    std::vector<Rule> rules_;
    std::string file_;
};

}  // namespace

POSTERN_PLUGIN("witness", "1.0");
POSTERN_ENTRY(Witness)
