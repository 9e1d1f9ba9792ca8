#include <algorithm>
#include <smtp/client_state.hpp>

namespace postern::smtp {

using State = ClientSession::State;

ClientSession::ClientSession(ClientSettings settings) : state_(std::make_unique<State>(std::move(settings))) {}
ClientSession::~ClientSession() = default;

void State::fail(std::string token, std::string status, std::string text, bool permanent) {
    if (!failure) failure = ClientFailure{std::move(token), std::move(status), std::move(text), permanent};
    todo = ClientDo::close;
}

void State::refuse_politely(ClientFailure why) {
    if (!failure) failure = std::move(why);
    awaited.clear();
    closing = true;
    send("QUIT");
    todo = ClientDo::close;
}

ClientDo ClientSession::next() {
    auto& s = *state_;
    while (s.todo == ClientDo::read) {
        auto reply = s.reader.next();
        if (!s.reader.fault().empty()) {
            s.fail({}, "4.5.0", "the server sent " + s.reader.fault());
            break;
        }
        if (!reply) return ClientDo::read;
        s.handle(*reply);
    }
    if (s.todo == ClientDo::finished) {
        s.todo = s.closing ? ClientDo::close : ClientDo::ready;
        return ClientDo::finished;
    }
    // A broken connection with a transaction under way: its outcomes are told first.
    if (s.todo == ClientDo::close && s.active) {
        s.finish();
        s.closing = true;
        s.todo = ClientDo::close;
        return ClientDo::finished;
    }
    return s.todo;
}

std::string ClientSession::take_output() { return std::exchange(state_->output, {}); }

std::chrono::seconds ClientSession::deadline() const {
    using namespace std::chrono_literals;
    if (state_->awaited.empty()) return 60s;
    // RFC 5321 4.5.3.2.
    switch (state_->awaited.front()) {
        case Awaited::data:
            return 120s;
        case Awaited::final_dot:
            return 600s;
        case Awaited::quit:
        case Awaited::rset:
            return 60s;
        default:
            return 300s;
    }
}

void ClientSession::feed(std::string_view octets) { state_->reader.feed(octets); }

void ClientSession::peer_closed() {
    auto& s = *state_;
    const bool said_all = !s.awaited.empty() && s.awaited.front() == Awaited::quit;
    if (said_all) s.todo = ClientDo::close;
    else
        s.fail({}, s.data_sent ? "4.4.2" : "4.4.1",
               s.data_sent ? "the connection was lost after the final dot" : "the server closed the connection");
}

void ClientSession::timed_out() { state_->fail({}, "4.4.2", "the server did not answer in time"); }

void ClientSession::tls_established() {
    auto& s = *state_;
    s.tls = true;
    s.extensions.clear();
    s.size_limit = 0;
    s.todo = ClientDo::read;
    // The judgement comes before anything else is said inside.
    if (s.settings.ask_peer) s.todo = ClientDo::ask_peer;
    else peer_accepted();
}

void ClientSession::tls_failed(const Failure& failure) { state_->fail(failure.token, "4.7.5", failure.text); }

void ClientSession::peer_accepted() {
    state_->send((state_->settings.lmtp ? "LHLO " : "EHLO ") + state_->settings.fqdn);
    state_->expect(Awaited::ehlo);
}

void ClientSession::peer_refused(const Failure& failure) {
    state_->refuse_politely({failure.token, "4.7.5", failure.text, false});
}

void ClientSession::connection_refused_by_alert(const Failure& failure) {
    state_->fail(failure.token, "4.7.5", failure.text);
}

void ClientSession::begin(ClientTransaction transaction) {
    auto& s = *state_;
    s.transaction = std::move(transaction);
    s.outcomes.assign(s.transaction.recipients.size(), RecipientOutcome{});
    s.accepted.clear();
    s.answered = s.final_answered = 0;
    s.data_sent = false;
    s.active = true;
    const bool too_large = s.size_limit && s.transaction.size > s.size_limit;
    const bool unfit = s.transaction.eight_bit && !s.extensions.contains("8BITMIME");
    if (too_large || unfit) {
        const RecipientOutcome refused{
            VerdictKind::reject,
            0,
            too_large ? "5.3.4" : "5.6.3",
            too_large ? "the message is larger than the server takes" : "the server does not take 8-bit messages",
            {}};
        s.outcomes.assign(s.outcomes.size(), refused);
        s.active = false;
        s.todo = ClientDo::finished;
        return;
    }
    auto mail = "MAIL FROM:<" + s.transaction.sender + ">";
    if (s.extensions.contains("SIZE")) mail += " SIZE=" + std::to_string(s.transaction.size);
    if (s.transaction.eight_bit) mail += " BODY=8BITMIME";
    s.send(mail);
    s.expect(Awaited::mail);
    if (!s.pipelining()) return;
    for (const auto& recipient : s.transaction.recipients) {
        s.send("RCPT TO:<" + recipient + ">");
        s.expect(Awaited::rcpt);
    }
}

void ClientSession::body_piece(std::string_view octets, bool last) {
    auto& s = *state_;
    std::string stuffed;
    stuffed.reserve(octets.size() + 64);
    for (char c : octets) {
        if (s.line_start && c == '.') stuffed += '.';
        stuffed += c;
        s.line_start = c == '\n';
    }
    s.output += stuffed;
    if (!last) return;
    s.output += s.line_start ? ".\r\n" : "\r\n.\r\n";
    s.data_sent = true;
    const std::size_t finals = s.settings.lmtp ? s.accepted.size() : 1;
    for (std::size_t i = 0; i < finals; ++i) s.expect(Awaited::final_dot);
}

void ClientSession::body_unreadable() {
    state_->output.clear();
    state_->fail({}, "4.3.0", "the message could not be read from the spool");
}

void ClientSession::quit() {
    state_->closing = true;
    state_->send("QUIT");
    state_->expect(Awaited::quit);
}

const std::vector<RecipientOutcome>& ClientSession::outcomes() const { return state_->outcomes; }
const std::optional<ClientFailure>& ClientSession::failure() const { return state_->failure; }
bool ClientSession::in_tls() const { return state_->tls; }
bool ClientSession::in_body() const { return state_->in_body; }
std::string ClientSession::extensions() const {
    std::string words;
    for (const auto& word : state_->extensions) words += (words.empty() ? "" : " ") + word;
    return words;
}
bool ClientSession::peer_offers(std::string_view extension) const { return state_->extensions.contains(extension); }
std::string_view ClientSession::greeting() const { return state_->greeting; }

}  // namespace postern::smtp
