// One TLS conversation over GnuTLS without a socket: the host feeds octets in, steps, drains octets out.
//
// It knows nothing of SMTP and judges nobody. It lives on one worker. Start at `step`, the loop around GnuTLS: E_AGAIN
// means "more input" only when the pull function really found the inbox empty (tickets and KeyUpdates look alike).
// What continues an earlier session, and what is given and kept for a later one, is in session_resumption.cpp.
#pragma once

#include <postern/tls.hpp>
#include <tls-mutual/earlier_sessions.hpp>
#include <tls-mutual/handles.hpp>
#include <tls-mutual/identity.hpp>
#include <tls-mutual/ticket_keys.hpp>

namespace postern::tls_mutual {

// What all sessions share; kept alive by each.
struct Terms : Counted {
    PriorityHandle from_tls12, from_tls13;
    CredentialsHandle client;  // its callback asks the session for the certificate
    TicketKeys ticket_keys;
    EarlierSessions earlier_sessions;
};

enum class Side : std::uint8_t { server, client };

class Session final : public TlsSession {
public:
    Session(Ref<Terms> terms, Ref<Identity> identity, Side side)
        : terms_(std::move(terms)), identity_(std::move(identity)), side_(side) {}

    // Before it is opened: it may continue what has this scope, and be continued.
    void resume_within(std::string_view scope, bool anew = false);
    // Before anything else, once. Nothing = ready for the handshake.
    std::optional<Failure> open_server(const TlsServerOptions&);
    std::optional<Failure> open_client(const TlsClientOptions&);

    void feed(BytesView ciphertext) override;
    TlsStatus handshake() override;
    void choose(const TlsServerChoice&) override;
    TlsStatus read(std::span<std::uint8_t> into, std::size_t& count) override;
    TlsStatus write(BytesView plaintext) override;
    void close() override;
    void drain(Bytes& into) override;
    const TlsFacts& facts() const override { return facts_; }
    const TlsError& error() const override { return error_; }

    // The certificate callback of Terms::client ends here: the server asked for our certificate.
    int hand_out_certificate(const gnutls_pk_algorithm_t* algorithms, int algorithm_count,
                             gnutls_pcert_st** certificates, unsigned* count, gnutls_privkey_t* key);
    // After the handshake: which of our certificates the peer was shown; null for none.
    const IdentityPair* presented() const { return presented_; }
    // As client: an earlier session was offered to the server.
    bool offers() const { return earlier_.has_value(); }

private:
    enum class State : std::uint8_t { handshaking, open, closed, failed };

    std::optional<Failure> open(unsigned flags, TlsVersion minimum, gnutls_certificate_credentials_t);
    template <class Call>
    TlsStatus step(Call call, ssize_t& result);
    TlsStatus fail(ssize_t code);
    TlsStatus fail(std::string text);
    TlsStatus finish_handshake();

    std::optional<Failure> begin_again(const TlsServerOptions&);

    bool resumable() const { return scope_ && !options_.choose_on_hello; }
    std::string key_of_scope() const;
    void take_tickets();
    bool resumed_without_certificate();
    void settle_resumption();
    void give_ticket();
    void offer_earlier();
    void keep_for_later();
    static int ticket_came(gnutls_session_t, unsigned type, unsigned when, unsigned incoming, const gnutls_datum_t*);
    static int client_hello_came(gnutls_session_t session);
    static ssize_t pull(gnutls_transport_ptr_t self, void* into, std::size_t size);
    static ssize_t push(gnutls_transport_ptr_t self, const void* from, std::size_t size);
    static int pull_ready(gnutls_transport_ptr_t self, unsigned milliseconds);

    Ref<Terms> terms_;
    Ref<Identity> identity_;
    Side side_;
    State state_ = State::handshaking;
    SessionHandle session_;
    Bytes inbox_, outbox_;
    std::size_t taken_ = 0;  // octets of inbox_ that GnuTLS has
    bool starved_ = false;   // the last pull found the inbox empty
    bool certificate_requested_ = false;
    bool own_certificate_sent_ = false;
    const IdentityPair* presented_ = nullptr;  // a part of identity_
    bool bye_ = false;
    bool hello_ = false;  // the client hello waits for choose()
    bool recording_ = false;
    Bytes recorded_;                    // what the peer sent until the server's answer to its hello is settled
    TlsServerOptions options_;          // a client's: the lowest version alone
    std::string server_name_;           // as client
    std::optional<std::string> scope_;  // none: nothing is continued
    bool anew_ = false;
    std::optional<EarlierSession> earlier_;  // as client: what was offered, without its octets
    EarlierSession::Instant proven_{};       // as client: the whole handshake that this session goes back to
    TlsFacts facts_;
    TlsError error_;
};

}  // namespace postern::tls_mutual
