#include <algorithm>
#include <smtp/server_state.hpp>

namespace postern::smtp {

using State = ServerSession::State;

ServerSession::ServerSession(ServerSettings settings, ServerPeer peer) : state_(std::make_unique<State>()) {
    state_->settings = std::move(settings);
    state_->peer = std::move(peer);
}
ServerSession::~ServerSession() = default;

void State::say(const mail::Reply& words, bool enhanced) {
    output += mail::to_wire(words, enhanced && settings.enhanced_status_codes);
}
void State::reply(std::uint16_t code, std::string enhanced, std::string text) {
    say({code, std::move(enhanced), std::move(text)}, true);
}

void State::close_with(std::string enhanced, std::string text) {
    reply(421, std::move(enhanced), settings.fqdn + " " + text);
    mode = Mode::closed;
}

void State::count_error() {
    ++offences;
    if (++errors >= settings.limits.errors) close_with("4.7.0", "too many errors");
}

void State::error(std::uint16_t code, std::string enhanced, std::string text) {
    reply(code, std::move(enhanced), std::move(text));
    if (code == 503 && refused_in_group) return;
    count_error();
}

void State::ask(ServerPhase what) {
    phase = what;
    mode = Mode::asking;
}

void State::forget_transaction() {
    in_transaction = false;
    envelope_octets = 0;
    transaction = {};
    content.reset();
    transfer_refused = false;
}

// A short command may have a long reply: who never reads them must not have us keep them all.
static constexpr std::size_t most_unsent = 4096;

ServerDo ServerSession::next() {
    const auto what = state_->step();
    // Who waits holds no empty buffer: it is as large as what once came.
    if (what == ServerDo::read && state_->input.empty()) std::string().swap(state_->input);
    return what;
}

ServerDo State::step() {
    for (;;) {
        switch (mode) {
            case Mode::connect:
                ask(ServerPhase::connect);
                [[fallthrough]];
            case Mode::asking:
                return ServerDo::ask;
            case Mode::handshake:
                return ServerDo::start_tls;
            case Mode::header_out:
                return ServerDo::header;
            case Mode::body_out:
                return ServerDo::body;
            case Mode::commit:
                return ServerDo::commit;
            case Mode::closed:
                return ServerDo::close;
            case Mode::command:
                if (shutting_down && !content) {
                    close_with("4.3.2", "is shutting down, try again later");
                } else if (output.size() > most_unsent) {
                    return ServerDo::send;
                } else if (!take_line()) {
                    return ServerDo::read;
                }
                break;
            case Mode::data:
                if (const auto what = data_step(); what != ServerDo::ask) return what;
                break;
            case Mode::chunk:
                if (const auto what = chunk_step(); what != ServerDo::ask) return what;
                break;
            case Mode::skip_chunk:
                if (const auto what = skip_step(); what != ServerDo::ask) return what;
        }
    }
}

std::string ServerSession::take_output() { return std::exchange(state_->output, {}); }

void ServerSession::feed(std::string_view octets) { feed_moved(std::string(octets)); }

void ServerSession::feed_moved(std::string octets) {
    if (octets.empty()) return;
    state_->fed_before_greeting |=
        state_->mode == Mode::connect || (state_->mode == Mode::asking && state_->phase == ServerPhase::connect);
    state_->refused_in_group = false;
    if (state_->input.empty()) state_->input = std::move(octets);
    else state_->input += octets;
}

void ServerSession::peer_closed() { state_->mode = Mode::closed; }
void ServerSession::timed_out() { state_->close_with("4.4.2", "waited too long"); }
void ServerSession::shut_down() {
    state_->shutting_down = true;
    if (state_->mode == Mode::command && !state_->content)
        state_->close_with("4.3.2", "is shutting down, try again later");
}
void ServerSession::refuse(const mail::Reply& last_word) {
    state_->say(last_word, true);
    state_->mode = Mode::closed;
}

ServerPhase ServerSession::phase() const { return state_->phase; }
std::string_view ServerSession::auth_mechanism() const { return state_->auth_mechanism; }
bool ServerSession::in_tls() const { return state_->tls; }
bool ServerSession::in_transaction() const { return state_->in_transaction; }
bool ServerSession::in_transfer() const { return state_->content || state_->mode == Mode::skip_chunk; }
std::size_t ServerSession::held() const {
    const auto& s = *state_;
    const auto content = s.content ? s.content->held() + s.chunks.held() : 0;
    return s.input.capacity() + s.envelope_octets + content;
}
std::uint64_t ServerSession::taken() const { return state_->taken; }
std::size_t ServerSession::take_offences() { return std::exchange(state_->offences, 0); }
std::string ServerSession::take_heard() { return std::exchange(state_->heard, {}); }
const Transaction& ServerSession::transaction() const { return state_->transaction; }
std::string_view ServerSession::helo() const { return state_->helo; }
bool ServerSession::extended() const { return state_->extended; }
bool ServerSession::starttls_was_offered() const { return state_->offered; }
bool ServerSession::starttls_was_tried() const { return state_->tried; }
void ServerSession::settings(ServerSettings settings) { state_->settings = std::move(settings); }

void ServerSession::answer(const Verdict& verdict) {
    auto& s = *state_;
    if (s.mode != Mode::asking) return;
    s.mode = Mode::command;
    switch (s.phase) {
        case ServerPhase::connect:
            if (verdict.kind != VerdictKind::proceed) return refuse(mail::checked(verdict));
            s.say({220, {}, s.settings.fqdn + " ESMTP Postern"}, false);
            if (s.fed_before_greeting) {
                s.reply(503, "5.5.0", "you spoke before the greeting");
                s.close_with("4.7.0", "closing");
            }
            break;
        case ServerPhase::helo:
            s.answer_helo(verdict);
            break;
        case ServerPhase::starttls:
            s.answer_starttls(verdict);
            break;
        case ServerPhase::auth:
            if (verdict.kind != VerdictKind::proceed) s.say(mail::checked(verdict), true);
            else s.error(502, "5.5.1", "AUTH is not offered here");
            break;
        case ServerPhase::mail:
            s.answer_mail(verdict);
            break;
        case ServerPhase::recipient:
            s.answer_recipient(verdict, false);
            break;
        case ServerPhase::data:
            s.answer_data(verdict);
    }
}

void ServerSession::edit_extensions(std::vector<std::string> hidden, std::vector<std::string> added) {
    state_->hidden_extensions = std::move(hidden);
    state_->added_extensions = std::move(added);
}

void ServerSession::answer_unknown_recipient(const Verdict& verdict) {
    if (state_->mode != Mode::asking) return;
    state_->mode = Mode::command;
    state_->answer_recipient(verdict, true);
}

void ServerSession::tls_established() {
    auto& s = *state_;
    s.forget_transaction();
    s.helo.clear();
    s.input.clear();
    s.extended = s.offered = false;
    s.tls = true;
    s.mode = Mode::command;
}

std::string_view ServerSession::header() const { return state_->handed_out; }
std::string_view ServerSession::body() const { return state_->handed_out; }

static void go_on(ServerSession::State& state) { state.mode = state.chunked ? Mode::chunk : Mode::data; }

void ServerSession::header_stored() { go_on(*state_); }
void ServerSession::body_stored() { go_on(*state_); }

void ServerSession::storage_failed(const mail::Reply& reply) {
    if (state_->content) state_->content->fault(reply);
    go_on(*state_);
}

void ServerSession::committed(const mail::Reply& reply) {
    state_->say(reply, true);
    state_->forget_transaction();
    state_->mode = Mode::command;
}

}  // namespace postern::smtp
