// How a session continues an earlier one, as server by sealed tickets (ticket_keys.hpp), as client by what the server
// gave (earlier_sessions.hpp). What is continued has the facts of the handshake that it goes back to, and is judged by
// them; what cannot be continued becomes a whole handshake within the same conversation.
#include <tls-mutual/session.hpp>

namespace postern::tls_mutual {
namespace {

// The client's chain travels in its ticket, out and back in. Chains of four take 6 KiB.
constexpr std::size_t most_ticketed_octets = 8u << 10;

std::size_t octets_of(const TlsFacts& facts) {
    auto all = facts.staple.size();
    for (const auto& certificate : facts.peer_chain) all += certificate.der.size();
    return all;
}

EarlierSession::Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

void Session::resume_within(std::string_view scope, bool anew) {
    scope_ = scope;
    anew_ = anew;
}

// All that must be alike. The scope stands first and ends with NUL: what it was kept for can be forgotten as a whole.
std::string Session::key_of_scope() const {
    auto key = *scope_ + '\0' + (identity_ ? identity_->leaves() : std::string("none"));
    key += options_.minimum == TlsVersion::tls13 ? " tls1.3" : " tls1.2";
    // A ticket made while no certificate was asked for has none in it.
    if (side_ == Side::server) key += options_.request_client_certificate ? " asked" : " not asked";
    return key + ' ' + server_name_;
}

// ---- server ---------------------------------------------------------------------------------------------------------

void Session::take_tickets() {
    const auto key = terms_->ticket_keys.key(key_of_scope(), now());
    gnutls_db_set_cache_expiration(session_.get(), static_cast<int>(TicketKeys::life.count()));
    const auto datum = key ? borrowed(key->bytes) : gnutls_datum_t{nullptr, 0};
    if (!key || gnutls_session_ticket_enable_server(session_.get(), &datum) != 0) scope_.reset();
}

// Once, when our answer to the hello is made and nothing of it has left. A client that had no certificate then may have
// one now: it is to be asked again, in a whole handshake. Only TLS 1.2 comes here, which gives its ticket before
// anybody can say no to it. Whatever would get past this has no chain, and is judged as what showed no certificate.
bool Session::resumed_without_certificate() {
    if (side_ != Side::server || !recording_ || outbox_.empty()) return false;
    recording_ = false;
    unsigned count = 0;
    const bool bare = options_.request_client_certificate && gnutls_session_is_resumed(session_.get()) != 0 &&
                      (!gnutls_certificate_get_peers(session_.get(), &count) || count == 0);
    if (!bare) recorded_ = Bytes();
    return bare;
}

void Session::give_ticket() {
    if (!scope_ || facts_.version != TlsVersion::tls13) return;
    if (options_.request_client_certificate && facts_.peer_chain.empty()) return;
    if (octets_of(facts_) > most_ticketed_octets) return;
    // One: whoever comes with several connections at once got one on each. Without it the session is as good.
    static_cast<void>(gnutls_session_ticket_send(session_.get(), 1, 0));
}

// ---- client ---------------------------------------------------------------------------------------------------------

void Session::offer_earlier() {
    gnutls_handshake_set_hook_function(session_.get(), GNUTLS_HANDSHAKE_NEW_SESSION_TICKET, GNUTLS_HOOK_POST,
                                       ticket_came);
    if (!anew_) earlier_ = terms_->earlier_sessions.take(key_of_scope(), now());
    if (!earlier_) return;
    const auto octets = std::move(earlier_->octets);
    earlier_->octets = {};
    if (gnutls_session_set_data(session_.get(), octets.bytes.data(), octets.bytes.size()) != 0) earlier_.reset();
}

// TLS 1.3: tickets come behind the handshake, any number of them, any time.
int Session::ticket_came(gnutls_session_t session, unsigned, unsigned, unsigned, const gnutls_datum_t*) {
    auto& self = *static_cast<Session*>(gnutls_session_get_ptr(session));
    if (self.state_ == State::open) self.keep_for_later();
    return 0;
}

void Session::keep_for_later() {
    const bool tls13 = facts_.version == TlsVersion::tls13;
    // RFC 7627 5.4: without it two sessions may share one secret.
    if (!scope_ || (!tls13 && !gnutls_session_ext_master_secret_status(session_.get()))) return;
    OwnedDatum data;
    if (gnutls_session_get_data2(session_.get(), &data.datum) != 0 || !data.datum.data) return;
    EarlierSession session;
    session.octets.bytes.assign(data.datum.data, data.datum.data + data.datum.size);
    gnutls_memset(data.datum.data, 0, data.datum.size);
    session.proven = proven_;
    session.single_use = tls13;
    session.certificate_requested = facts_.certificate_requested;
    session.own_certificate_sent = facts_.own_certificate_sent;
    if (presented_) session.presented = identity_->place_of(*presented_);
    terms_->earlier_sessions.keep(key_of_scope(), std::move(session), now());
}

// ---- both -----------------------------------------------------------------------------------------------------------

void Session::settle_resumption() {
    recording_ = false;
    recorded_ = Bytes();
    if (side_ == Side::server) return give_ticket();
    proven_ = now();
    if (facts_.resumed && earlier_) {
        proven_ = earlier_->proven;
        facts_.certificate_requested = earlier_->certificate_requested;
        facts_.own_certificate_sent = earlier_->own_certificate_sent;
        if (earlier_->own_certificate_sent) presented_ = identity_->at(earlier_->presented);
    }
    if (facts_.version == TlsVersion::tls12) keep_for_later();
}

}  // namespace postern::tls_mutual
