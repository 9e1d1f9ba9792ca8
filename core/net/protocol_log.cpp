#include <algorithm>
#include <net/protocol_log.hpp>
#include <utility>

namespace postern::net {

static constexpr std::size_t batch = 64, longest_line = 4096;

ProtocolLog::ProtocolLog(const plugins::PluginSet& plugins, config::ProtocolLogging level, bool outbound,
                         std::string connector, std::string session)
    : plugins_(plugins), level_(level) {
    if (level == config::ProtocolLogging::none) return;
    kept_ = std::make_unique<Kept>();
    kept_->head.outbound = outbound;
    kept_->head.connector = std::move(connector);
    kept_->head.session = std::move(session);
}

void ProtocolLog::endpoints(std::string local, std::string remote) {
    if (!kept_) return;
    kept_->head.local = std::move(local);
    kept_->head.remote = std::move(remote);
}

void ProtocolLog::add(ProtocolEvent event, std::string data, std::string context) {
    if (!kept_) return;
    auto& record = kept_->records.emplace_back(kept_->head);
    record.time = std::chrono::system_clock::now();
    record.sequence = kept_->head.sequence++;
    record.event = event;
    record.data = std::move(data);
    record.context = std::move(context);
    if (kept_->records.size() >= batch) flush();
}

void ProtocolLog::flush() {
    if (!kept_ || kept_->records.empty()) return;
    for (auto* observer : plugins_.protocol_observers()) observer->protocol(kept_->records);
    kept_->records.clear();
}

// What stands behind the mechanism of AUTH may be a password (RFC 4954 4), also where AUTH is not offered.
static bool hide_secret(std::string& line) {
    constexpr std::string_view verb = "AUTH ";
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
    if (line.size() < verb.size() ||
        !std::equal(verb.begin(), verb.end(), line.begin(), [&](char wanted, char c) { return wanted == upper(c); }))
        return false;
    const auto blank = line.find(' ', line.find_first_not_of(' ', verb.size()));
    if (blank != std::string::npos) line.replace(blank + 1, std::string::npos, "...");
    return true;
}

void ProtocolLog::lines(ProtocolEvent event, std::string_view octets) {
    if (!kept_) return;
    const bool secrets = event == ProtocolEvent::received;
    auto& rest = secrets ? kept_->received_rest : kept_->sent_rest;
    rest += octets;
    for (std::size_t end; (end = rest.find('\n')) != std::string::npos;) {
        auto line = rest.substr(0, end && rest[end - 1] == '\r' ? end - 1 : end);
        rest.erase(0, end + 1);
        if (secrets && std::exchange(kept_->cut_secret, false)) continue;
        if (secrets) hide_secret(line);
        add(event, std::move(line), {});
    }
    // A stranger's endless line is cut in the log as it is refused in the session.
    if (rest.size() > longest_line) {
        auto line = rest.substr(0, longest_line);
        rest.clear();
        if (secrets && kept_->cut_secret) return;
        kept_->cut_secret = secrets && hide_secret(line);
        add(event, std::move(line), "line cut");
    }
}

void ProtocolLog::connected() { add(ProtocolEvent::connected, {}, {}); }
void ProtocolLog::disconnected(std::string_view why) {
    add(ProtocolEvent::disconnected, {}, std::string(why));
    flush();
}
void ProtocolLog::sent(std::string_view octets) { lines(ProtocolEvent::sent, octets); }
void ProtocolLog::received(std::string_view octets) { lines(ProtocolEvent::received, octets); }
void ProtocolLog::note(std::string data, std::string context) {
    add(ProtocolEvent::information, std::move(data), std::move(context));
}
void ProtocolLog::decision(std::string text) {
    if (level_ == config::ProtocolLogging::decisions) add(ProtocolEvent::information, std::move(text), "decision");
}

void ProtocolLog::certificates(const TlsFacts& facts, const CertificateFacts* ours) {
    if (facts.resumed) note({}, "TLS session resumed; the certificates are those of the handshake that it continues");
    if (ours && facts.own_certificate_sent)
        certificate(facts.resumed ? "Sent certificate" : "Sending certificate", *ours);
    if (!facts.peer_chain.empty()) certificate("Received certificate", facts.peer_chain.front());
}

void ProtocolLog::certificate(std::string_view whose, const CertificateFacts& facts) {
    std::string names;
    for (const auto& name : facts.dns_names) names += (names.empty() ? "" : ";") + name;
    note({}, std::string(whose));
    note(facts.subject, "Certificate subject");
    note(facts.issuer, "Certificate issuer name");
    note(facts.serial, "Certificate serial number");
    note(facts.sha1, "Certificate thumbprint");
    note(std::move(names), "Certificate alternate names");
}

}  // namespace postern::net
