#include <base/counters.hpp>
#include <cmath>

namespace postern {

std::span<const CounterEntry> counter_catalogue() {
    using enum CounterKind;
    static const CounterEntry entries[] = {
        {"postern_domain_secured_messages_received_total", counter,
         "Domain-Secured Messages Received: accepted over mutual TLS from a listed domain whose certificate was valid, "
         "known not revoked and named the domain."},
        {"postern_domain_secured_messages_sent_total", counter,
         "Domain-Secured Messages Sent: handed over mutual TLS to a server that proved the listed recipient domain."},
        {"postern_domain_secured_outbound_session_failures_total", counter,
         "Domain-Secured Outbound Session Failures: connections for a listed domain that ended before the envelope "
         "travelled, by domain and reason. The messages wait and are tried again."},
        {"postern_domain_secured_inbound_failures_total", counter,
         "Refusals at MAIL of a listed domain, by domain and reason: the inbound twin of the session failures. Domain "
         "* "
         "is everybody else, of whom a script demanded what a list demands."},
        {"postern_passed_by_exception_total", counter,
         "Messages of a listed domain that an exception, soft or no revocation, or report-only let through unmarked."},
        {"postern_hop_secured_messages_sent_total", counter,
         "Messages for a listed domain sent through a verified smart host: secured to that hop, never marked."},
        {"postern_messages_discarded_total", counter, "Messages that a policy had dropped after they were accepted."},
        {"postern_messages_received_total", counter, "Messages accepted and durably queued, all senders."},
        {"postern_messages_delivered_total", counter, "Recipients delivered, by way (smtp, deliver)."},
        {"postern_messages_deferred_total", counter, "Delivery attempts that will be tried again, by way."},
        {"postern_messages_bounced_total", counter, "Recipients that failed for good."},
        {"postern_messages_held_total", counter,
         "Recipients held because nobody could be told of their failure: no sender, or one that nobody proved."},
        {"postern_sessions_total", counter, "Sessions accepted, by receive connector."},
        {"postern_sessions_open", gauge, "Sessions open now."},
        {"postern_tls_handshakes_total", counter, "TLS handshakes, by direction and result."},
        {"postern_tls_resumed_total", counter,
         "Of them those that resumed an earlier TLS session; judged like any other, by direction."},
        {"postern_opportunistic_clear_total", counter,
         "Messages delivered in clear after a failed opportunistic handshake (never to a listed domain)."},
        {"postern_observer_dropped_total", counter,
         "Protocol log records that a full lane did not take: the log is incomplete, mail was not delayed."},
        {"postern_log_write_failures_total", counter, "Protocol log records lost to a full or failing disk."},
        {"postern_dns_bogus_total", counter,
         "DNS answers that failed validation or could not be validated, by whether they were used (dnssec log)."},
        {"postern_queue_messages", gauge, "Messages in the queue now."},
        {"postern_generation", gauge, "Generation of the configuration in force."},
        {"postern_alarm", gauge, "1 while the alarm stands, by alarm and subject; postern status shows its text."},
    };
    return entries;
}

namespace {
const std::string overflow = "overflow=\"true\"";

template <class Values>
bool full(const Values& values) {
    return values.size() - values.count(overflow) >= Counters::most_series;
}
}  // namespace

std::string counter_page() {
    std::string page =
        "# Counters\n\nWhat `plugins/counters` serves as Prometheus text. The first three are the white paper's; "
        "plugins add "
        "their own (see their READMEs). Made by `posternd --print-counters`.\n\n| name | kind | what it counts |\n"
        "|---|---|---|\n";
    for (const auto& one : counter_catalogue())
        page += "| `" + std::string(one.name) + "` | " + (one.kind == CounterKind::gauge ? "gauge" : "counter") +
                " | " + std::string(one.explanation) + " |\n";
    return page;
}

Counters::Counters() {
    for (const auto& entry : counter_catalogue()) {
        auto& made =
            families_.emplace(entry.name, Family{entry.kind, std::string(entry.explanation), {}}).first->second;
        // The paper's counters are there from the start: a graph of nothing is not a graph of zero.
        if (entry.kind == CounterKind::counter) made.values[""] = 0;
    }
}

Counters::Family& Counters::family(std::string_view name, CounterKind kind) {
    auto found = families_.find(name);
    if (found == families_.end())
        found = families_.emplace(std::string(name), Family{kind, "Declared by a plugin.", {}}).first;
    return found->second;
}

void Counters::add(std::string_view name, std::string_view labels, double amount) {
    std::lock_guard lock(mutex_);
    auto& values = family(name, CounterKind::counter).values;
    auto found = values.find(labels);
    if (found == values.end() && full(values)) found = values.try_emplace(overflow, 0).first;
    if (found == values.end()) found = values.emplace(std::string(labels), 0).first;
    found->second += amount;
}

void Counters::set(std::string_view name, std::string_view labels, double value) {
    std::lock_guard lock(mutex_);
    auto& values = family(name, CounterKind::gauge).values;
    if (std::isnan(value)) {
        if (const auto gone = values.find(labels); gone != values.end()) values.erase(gone);
        return;
    }
    if (!values.contains(labels) && full(values)) {
        // Zero says no more than absence does: it makes room before anything that stands is folded away.
        std::erase_if(values, [](const auto& one) { return one.second == 0; });
        if (full(values)) labels = overflow;
    }
    values.insert_or_assign(std::string(labels), value);
}

double Counters::value(std::string_view name, std::string_view labels) const {
    std::lock_guard lock(mutex_);
    auto found = families_.find(name);
    if (found == families_.end()) return 0;
    if (!labels.empty()) {
        auto at = found->second.values.find(labels);
        return at == found->second.values.end() ? 0 : at->second;
    }
    double sum = 0;
    for (const auto& [key, one] : found->second.values) sum += one;
    return sum;
}

std::vector<CounterSample> Counters::samples() const {
    std::lock_guard lock(mutex_);
    std::vector<CounterSample> all;
    for (const auto& [name, made] : families_)
        for (const auto& [key, value] : made.values) {
            // The unlabelled zero stands for a family only until a labelled value is there.
            if (key.empty() && value == 0 && made.values.size() > 1) continue;
            all.push_back({name, key, made.kind, value, made.explanation});
        }
    return all;
}

std::string label(std::string_view name, std::string_view value) {
    std::string text(name);
    text += "=\"";
    for (char c : value) {
        if (c == '\\' || c == '"') text += '\\';
        if (c == '\n') text += "\\n";
        else text += c;
    }
    return text += '"';
}

std::string labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
    std::string text;
    for (const auto& [name, value] : pairs) {
        if (!text.empty()) text += ',';
        text += label(name, value);
    }
    return text;
}

}  // namespace postern
