// One message on its way out: what the server cannot take is refused here, the envelope goes in one group where the
// server pipelines, and a short message along with it (RFC 5321 3.3, 2920, 1870, 6152, 3030, 3461, 6531).
#include <algorithm>
#include <mail/utf8.hpp>
#include <smtp/client_state.hpp>

namespace postern::smtp {

using State = ClientSession::State;

static RecipientOutcome refused(std::string status, std::string text) {
    return {VerdictKind::reject, 0, std::move(status), std::move(text), {}};
}

// True: nobody is left to ask about. Who converts what can be converted has done so before.
bool State::refuse_unfit() {
    std::optional<RecipientOutcome> whole;
    const auto& t = transaction;
    if (size_limit && t.size > size_limit)
        whole = refused(
            "5.3.4", "the message is larger than the " + std::to_string(size_limit) + " octets that the server takes");
    else if (t.binary && (!has("BINARYMIME") || !chunking()))
        whole = refused("5.6.3", "the server does not take binary messages");
    else if (t.eight_bit && !t.binary && !has("8BITMIME"))
        whole = refused("5.6.3", "the server does not take 8-bit messages");
    else if (t.smtputf8 && !has("SMTPUTF8") && (t.utf8_header || !mail::is_ascii(t.sender)))
        whole = refused("5.6.7", "the server does not take internationalised mail (SMTPUTF8)");
    for (std::size_t i = 0; i < t.recipients.size(); ++i) {
        const bool unfit = !mail::is_ascii(t.recipients[i].address) && !has("SMTPUTF8");
        if (whole) outcomes[i] = *whole;
        else if (unfit)
            outcomes[i] = refused("5.6.7", "the server does not take internationalised addresses (SMTPUTF8)");
        else asked.push_back(i);
    }
    return asked.empty();
}

std::string State::mail_command() const {
    const auto& t = transaction;
    auto line = "MAIL FROM:<" + t.sender + ">";
    if (has("SIZE")) line += " SIZE=" + std::to_string(t.size);
    if (t.binary) line += " BODY=BINARYMIME";
    else if (t.eight_bit) line += " BODY=8BITMIME";
    if (t.smtputf8 && has("SMTPUTF8")) line += " SMTPUTF8";
    if (has("DSN") && !t.ret.empty()) line += " RET=" + t.ret;
    if (has("DSN") && !t.envid.empty()) line += " ENVID=" + t.envid;
    return line;
}

void State::send_recipient() {
    const auto& recipient = transaction.recipients[asked[sent++]];
    auto line = "RCPT TO:<" + recipient.address + ">";
    if (has("DSN") && !recipient.notify.empty()) line += " NOTIFY=" + recipient.notify;
    const bool speakable = mail::is_ascii(recipient.orcpt) || (transaction.smtputf8 && has("SMTPUTF8"));
    if (has("DSN") && !recipient.orcpt.empty() && speakable) line += " ORCPT=" + recipient.orcpt;
    send(line);
    expect(Awaited::rcpt);
}

void State::send_whole() {
    send("BDAT " + std::to_string(transaction.whole->size()) + " LAST");
    output += *transaction.whole;
    data_sent = true;
    expect(Awaited::final_dot);
}

void ClientSession::begin(ClientTransaction transaction) {
    auto& s = *state_;
    s.transaction = std::move(transaction);
    s.outcomes.assign(s.transaction.recipients.size(), RecipientOutcome{});
    s.accepted.clear();
    s.asked.clear();
    s.sent = s.answered = s.final_answered = 0;
    s.data_sent = s.data_asked = s.in_body = false;
    s.active = true;
    if (s.reader.has_more()) return s.fail({}, "4.5.0", "the server spoke unasked");
    if (s.refuse_unfit()) {
        s.active = false;
        s.todo = ClientDo::finished;
        return;
    }
    s.send(s.mail_command());
    s.expect(Awaited::mail);
    if (!s.pipelining()) return;
    while (s.sent < s.asked.size()) s.send_recipient();
    if (!s.pipelines_data()) return;
    // A long message waits until somebody wants it.
    if (s.chunking() && !s.transaction.whole) return;
    s.data_asked = true;
    if (s.chunking()) return s.send_whole();
    s.send("DATA");
    s.expect(Awaited::data);
}

void State::stuff(std::string_view octets) {
    if (octets.empty()) return;
    output.reserve(output.size() + octets.size() + 64);
    if (line_start && octets.front() == '.') output += '.';
    line_start = octets.back() == '\n';
    for (auto end = octets.find('\n'); end < octets.size() - 1; end = octets.find('\n', end)) {
        ++end;
        if (octets[end] != '.') continue;
        output.append(octets.substr(0, end)) += '.';
        octets.remove_prefix(end);
        end = 0;
    }
    output += octets;
}

void State::end_data() {
    output += line_start ? ".\r\n" : "\r\n.\r\n";
    data_sent = true;
    in_body = false;
    const std::size_t finals = settings.lmtp ? accepted.size() : 1;
    for (std::size_t i = 0; i < finals; ++i) expect(Awaited::final_dot);
}

void ClientSession::body_piece(std::string_view octets, bool last) {
    auto& s = *state_;
    if (!s.chunking()) {
        s.stuff(octets);
        if (last) s.end_data();
        return;
    }
    // A wrong count would make commands of the message's rest, or the message of our commands.
    if (octets.size() > s.body_left || (last && octets.size() != s.body_left)) return body_unreadable();
    s.body_left -= octets.size();
    s.output += octets;
    if (!last) return;
    s.in_body = false;
    s.data_sent = true;
    s.expect(Awaited::final_dot);
}

void ClientSession::body_unreadable() {
    state_->output.clear();
    state_->fail({}, "4.3.0", "the message could not be read from the spool");
}

}  // namespace postern::smtp
