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
    // A reply to what is still being sent: it decides before the end is there.
    while (s.todo == ClientDo::read || (s.todo == ClientDo::body && s.reader.has_more())) {
        auto reply = s.reader.next();
        if (!s.reader.fault().empty()) {
            s.fail({}, "4.5.0", "the server sent " + s.reader.fault());
            break;
        }
        if (!reply) return s.todo;
        ++s.replies;
        s.todo == ClientDo::body ? s.reply_in_body(*reply) : s.handle(*reply);
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
    const auto& s = *state_;
    const auto whole = s.settings.reply_time;
    if (s.awaited.empty()) return whole / 5;
    // RFC 5321 4.5.3.2, where MAIL has 5 minutes.
    switch (s.awaited.front()) {
        case Awaited::data:
            return whole * 2 / 5;
        case Awaited::final_dot:
            return whole * 2;
        case Awaited::quit:
        case Awaited::rset:
        case Awaited::probe:
            return whole / 5;
        default:
            return whole;
    }
}

std::uint64_t ClientSession::replies() const { return state_->replies; }

void ClientSession::feed(std::string_view octets) { state_->reader.feed(octets); }

void ClientSession::peer_closed() {
    auto& s = *state_;
    const bool said_all = !s.awaited.empty() && s.awaited.front() == Awaited::quit;
    if (said_all) s.todo = ClientDo::close;
    else
        s.fail({}, s.data_sent ? "4.4.2" : "4.4.1",
               s.data_sent ? "the connection was lost after the final dot" : "the server closed the connection");
}

void ClientSession::timed_out() {
    state_->fail({}, "4.4.2",
                 state_->in_body ? "the server did not take the message in time" : "the server did not answer in time");
}

void ClientSession::tls_established() {
    auto& s = *state_;
    s.tls = true;
    s.extensions.clear();
    s.mechanisms.clear();
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

void ClientSession::probe() {
    state_->data_sent = false;
    state_->send("RSET");
    state_->expect(Awaited::probe);
}

void ClientSession::quit() {
    state_->closing = true;
    state_->send("QUIT");
    state_->expect(Awaited::quit);
}

const std::vector<RecipientOutcome>& ClientSession::outcomes() const { return state_->outcomes; }
const std::optional<ClientFailure>& ClientSession::failure() const { return state_->failure; }
bool ClientSession::in_tls() const { return state_->tls; }
std::string ClientSession::take_said() { return std::exchange(state_->said, {}); }
bool ClientSession::message_sent() const { return state_->data_sent; }
bool ClientSession::wants_chunks() const { return state_->chunking(); }
std::string ClientSession::extensions() const {
    std::string words;
    for (const auto& word : state_->extensions) words += (words.empty() ? "" : " ") + word;
    return words;
}
bool ClientSession::peer_offers(std::string_view extension) const { return state_->extensions.contains(extension); }
std::string_view ClientSession::greeting() const { return state_->greeting; }

}  // namespace postern::smtp
