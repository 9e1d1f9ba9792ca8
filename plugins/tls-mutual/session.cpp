#include <algorithm>
#include <cctype>
#include <cerrno>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/session.hpp>

namespace postern::tls_mutual {
namespace {

// A chain of ten large certificates takes 20 KiB; GnuTLS itself would take 128 KiB for one handshake message.
constexpr std::size_t most_handshake_octets = 64u << 10;
// GnuTLS asked for input so often without taking any: it will never stop.
constexpr int most_idle_turns = 64;
// Above this an empty buffer is given back, so that idle sessions keep none.
constexpr std::size_t idle_buffer_octets = 0;

void release(Bytes& buffer) {
    buffer.clear();
    if (buffer.capacity() > idle_buffer_octets) buffer.shrink_to_fit();
}

// RFC 8446 6.2: "bad_certificate", from GnuTLS' GNUTLS_A_BAD_CERTIFICATE.
std::string alert_name(gnutls_alert_description_t alert) {
    const char* known = gnutls_alert_get_strname(alert);
    if (!known) return "alert " + std::to_string(static_cast<int>(alert));
    std::string name(known);
    constexpr std::string_view prefix = "GNUTLS_A_";
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name;
}

// The alerts by which a peer speaks about the certificate that it got, or missed (RFC 8446 6.2).
bool about_certificate(gnutls_alert_description_t alert) {
    switch (static_cast<int>(alert)) {
        case GNUTLS_A_BAD_CERTIFICATE:
        case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
        case GNUTLS_A_CERTIFICATE_REVOKED:
        case GNUTLS_A_CERTIFICATE_EXPIRED:
        case GNUTLS_A_CERTIFICATE_UNKNOWN:
        case GNUTLS_A_UNKNOWN_CA:
        case GNUTLS_A_ACCESS_DENIED:
        case GNUTLS_A_CERTIFICATE_REQUIRED:
            return true;
        default:
            return false;
    }
}

std::string sentence(ssize_t code) {
    switch (code) {
        case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
        case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
        case GNUTLS_E_RECORD_OVERFLOW:
            return "the peer did not speak TLS 1.2 or 1.3";
        case GNUTLS_E_REHANDSHAKE:
            return "the peer wanted to renegotiate, which Postern never does";
        case GNUTLS_E_NO_CIPHER_SUITES:
        case GNUTLS_E_NO_COMMON_KEY_SHARE:
            return "no cipher suite in common with the peer";
        default:
            return gnutls_strerror(static_cast<int>(code));
    }
}

}  // namespace

// ---- opening --------------------------------------------------------------------------------------------------------

std::optional<Failure> Session::open(unsigned flags, TlsVersion minimum, gnutls_certificate_credentials_t credentials) {
    gnutls_session_t raw = nullptr;
    // No early data is ever enabled. When a ticket goes out is for give_ticket() to say.
    flags |= GNUTLS_NONBLOCK | GNUTLS_NO_AUTO_SEND_TICKET | (resumable() ? 0u : GNUTLS_NO_TICKETS);
    if (gnutls_init(&raw, flags) != 0) return Failure{"tls-unavailable", "no memory for a TLS session"};
    session_.reset(raw);
    const auto& priority = minimum == TlsVersion::tls13 ? terms_->from_tls13 : terms_->from_tls12;
    if (gnutls_priority_set(raw, priority.get()) != 0 ||
        gnutls_credentials_set(raw, GNUTLS_CRD_CERTIFICATE, credentials) != 0)
        return Failure{"tls-unavailable", "the TLS library refused its own settings; check its system configuration"};
    gnutls_session_set_ptr(raw, this);
    gnutls_transport_set_ptr(raw, this);
    gnutls_transport_set_pull_function(raw, pull);
    gnutls_transport_set_push_function(raw, push);
    gnutls_transport_set_pull_timeout_function(raw, pull_ready);
    gnutls_handshake_set_timeout(raw, 0);  // the host owns every deadline
    gnutls_handshake_set_max_packet_length(raw, most_handshake_octets);
    return std::nullopt;
}

std::optional<Failure> Session::open_server(const TlsServerOptions& options) {
    options_ = options;
    if (auto failure = open(GNUTLS_SERVER, options.minimum, identity_->server_credentials())) return failure;
    gnutls_certificate_server_set_request(
        session_.get(), options.request_client_certificate ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
    // An empty list of CAs: a client that finds its issuer missing from a list withholds its certificate.
    gnutls_certificate_send_x509_rdn_sequence(session_.get(), 1);
    if (options.choose_on_hello) gnutls_handshake_set_post_client_hello_function(session_.get(), client_hello_came);
    if (resumable()) take_tickets();
    recording_ = options.choose_on_hello || resumable();
    return std::nullopt;
}

// GnuTLS selects certificate and suite right behind this call, also where it is told to come again (3.7.9): too early
// for a choice that takes time. So nothing of this session is used: choose() begins anew with what the peer had sent.
int Session::client_hello_came(gnutls_session_t session) {
    auto& self = *static_cast<Session*>(gnutls_session_get_ptr(session));
    self.facts_.server_name = server_name(session);
    self.hello_ = true;
    return GNUTLS_E_AGAIN;
}

void Session::choose(const TlsServerChoice& choice) {
    if (!hello_ || state_ != State::handshaking) return;
    hello_ = false;
    identity_ = Ref<Identity>(static_cast<Identity*>(choice.identity.get()));
    if (auto failure = begin_again({choice.identity, choice.request_client_certificate, options_.minimum, false}))
        fail(failure->text);
}

// Nothing that was made in answer has left: the client meets but one server.
std::optional<Failure> Session::begin_again(const TlsServerOptions& options) {
    outbox_.clear();
    inbox_ = std::exchange(recorded_, {});
    taken_ = 0;
    auto failure = open_server(options);
    if (recording_) recorded_ = inbox_;
    return failure;
}

std::optional<Failure> Session::open_client(const TlsClientOptions& options) {
    options_.minimum = options.minimum;
    if (auto failure = open(GNUTLS_CLIENT, options.minimum, terms_->client.get())) return failure;
    const auto& name = options.server_name;
    if (!name.empty() && gnutls_server_name_set(session_.get(), GNUTLS_NAME_DNS, name.data(), name.size()) != 0)
        return Failure{"handshake-failed", "the host name \"" + name + "\" cannot stand in a TLS handshake"};
    server_name_ = name;
    if (resumable()) offer_earlier();
    return std::nullopt;
}

// ---- octets in and out ----------------------------------------------------------------------------------------------

void Session::feed(BytesView ciphertext) {
    if (state_ == State::failed || state_ == State::closed) return;
    inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
    inbox_.insert(inbox_.end(), ciphertext.begin(), ciphertext.end());
    if (recording_) recorded_.insert(recorded_.end(), ciphertext.begin(), ciphertext.end());
}

void Session::drain(Bytes& into) {
    if (into.empty()) {
        into = std::exchange(outbox_, {});
        return;
    }
    into.insert(into.end(), outbox_.begin(), outbox_.end());
    release(outbox_);
}

ssize_t Session::pull(gnutls_transport_ptr_t pointer, void* into, std::size_t size) {
    auto& self = *static_cast<Session*>(pointer);
    const auto count = std::min(size, self.inbox_.size() - self.taken_);
    if (count == 0) {
        self.starved_ = true;
        gnutls_transport_set_errno(self.session_.get(), EAGAIN);
        return -1;
    }
    std::copy_n(self.inbox_.data() + self.taken_, count, static_cast<std::uint8_t*>(into));
    self.taken_ += count;
    if (self.taken_ == self.inbox_.size()) {
        release(self.inbox_);
        self.taken_ = 0;
    }
    return static_cast<ssize_t>(count);
}

ssize_t Session::push(gnutls_transport_ptr_t pointer, const void* from, std::size_t size) {
    auto& self = *static_cast<Session*>(pointer);
    const auto* octets = static_cast<const std::uint8_t*>(from);
    self.outbox_.insert(self.outbox_.end(), octets, octets + size);
    return static_cast<ssize_t>(size);
}

int Session::pull_ready(gnutls_transport_ptr_t pointer, unsigned) {
    const auto& self = *static_cast<Session*>(pointer);
    return self.inbox_.size() > self.taken_ ? 1 : 0;
}

int Session::hand_out_certificate(const gnutls_pk_algorithm_t* algorithms, int algorithm_count,
                                  gnutls_pcert_st** certificates, unsigned* count, gnutls_privkey_t* key) {
    certificate_requested_ = true;
    *certificates = nullptr;
    *count = 0;
    *key = nullptr;
    if (!identity_) return 0;
    // GnuTLS reads through these pointers and, without the DEINIT flag, frees nothing.
    const auto& pair = identity_->for_server(algorithms, algorithm_count);
    *certificates = const_cast<gnutls_pcert_st*>(pair.certificates.data());
    *count = static_cast<unsigned>(pair.certificates.size());
    *key = pair.key.get();
    own_certificate_sent_ = true;
    return 0;
}

// ---- steps ----------------------------------------------------------------------------------------------------------

template <class Call>
TlsStatus Session::step(Call call, ssize_t& result) {
    for (int idle = 0; idle < most_idle_turns;) {
        const auto before = inbox_.size() - taken_;
        starved_ = false;
        result = call();
        if (result >= 0) return TlsStatus::ok;
        const bool again = result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED;
        if (again && hello_) return TlsStatus::hello;
        if (again && starved_) return TlsStatus::want_input;
        if (!again && (gnutls_error_is_fatal(static_cast<int>(result)) || result == GNUTLS_E_REHANDSHAKE))
            return fail(result);
        if (inbox_.size() - taken_ == before) ++idle;
    }
    return fail("the TLS library went round in circles on the peer's input");
}

TlsStatus Session::handshake() {
    if (state_ == State::failed) return TlsStatus::failed;
    if (state_ == State::closed) return TlsStatus::closed;
    if (state_ == State::open) return TlsStatus::ok;
    if (hello_) return TlsStatus::hello;
    ssize_t result = 0;
    const auto status = step([this] { return static_cast<ssize_t>(gnutls_handshake(session_.get())); }, result);
    if (status == TlsStatus::ok) return finish_handshake();
    if (status != TlsStatus::want_input || !resumed_without_certificate()) return status;
    scope_.reset();
    if (auto failure = begin_again(options_)) return fail(failure->text);
    return handshake();
}

TlsStatus Session::finish_handshake() {
    auto facts = gather_facts(session_.get());
    if (!facts) {
        gnutls_alert_send(session_.get(), GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
        return fail(facts.failure.text);
    }
    facts_ = std::move(*facts);
    if (const auto* ours = gnutls_certificate_get_ours(session_.get()); ours && identity_)
        presented_ = identity_->with_leaf({ours->data, ours->size});
    facts_.certificate_requested = side_ == Side::client && certificate_requested_;
    facts_.own_certificate_sent = side_ == Side::server || own_certificate_sent_;
    state_ = State::open;
    settle_resumption();
    return TlsStatus::ok;
}

TlsStatus Session::read(std::span<std::uint8_t> into, std::size_t& count) {
    count = 0;
    if (state_ == State::closed) return TlsStatus::closed;
    if (state_ == State::handshaking) return fail("data was read before the handshake was done");
    if (state_ == State::failed) return TlsStatus::failed;
    if (into.empty()) return TlsStatus::ok;
    ssize_t result = 0;
    const auto status = step([&] { return gnutls_record_recv(session_.get(), into.data(), into.size()); }, result);
    if (status != TlsStatus::ok) return status;
    if (result == 0) {
        state_ = State::closed;
        release(inbox_);
        taken_ = 0;
        return TlsStatus::closed;
    }
    count = static_cast<std::size_t>(result);
    return TlsStatus::ok;
}

TlsStatus Session::write(BytesView plaintext) {
    if (state_ == State::failed) return TlsStatus::failed;
    if (state_ == State::handshaking) return fail("data was written before the handshake was done");
    if (bye_) return TlsStatus::closed;
    // After the peer's close_notify its half is over, ours is not (RFC 8446 6.1).
    while (!plaintext.empty()) {
        const auto sent = gnutls_record_send(session_.get(), plaintext.data(), plaintext.size());
        if (sent == GNUTLS_E_INTERRUPTED) continue;
        if (sent <= 0) return fail(sent);
        plaintext = plaintext.subspan(static_cast<std::size_t>(sent));
    }
    return TlsStatus::ok;
}

void Session::close() {
    if (bye_ || state_ == State::failed || state_ == State::handshaking) return;
    bye_ = true;
    gnutls_bye(session_.get(), GNUTLS_SHUT_WR);
}

// ---- failing --------------------------------------------------------------------------------------------------------

TlsStatus Session::fail(ssize_t code) {
    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        const auto alert = gnutls_alert_get(session_.get());
        error_.alert = alert_name(alert);
        error_.own_certificate_refused = about_certificate(alert);
        return fail((error_.own_certificate_refused ? "the peer refused our certificate: "
                                                    : "the peer ended TLS with an alert: ") +
                    error_.alert);
    }
    gnutls_alert_send_appropriate(session_.get(), static_cast<int>(code));  // into the outbox: the host drains it
    return fail(sentence(code));
}

TlsStatus Session::fail(std::string text) {
    state_ = State::failed;
    error_.text = std::move(text);
    release(inbox_);
    taken_ = 0;
    return TlsStatus::failed;
}

}  // namespace postern::tls_mutual
