// One TLS conversation over GnuTLS without a socket: the host feeds octets in, steps, drains octets out.
//
// It knows nothing of SMTP and judges nobody. It lives on one worker. Start at `step`, the loop around GnuTLS: E_AGAIN
// means "more input" only when the pull function really found the inbox empty (tickets and KeyUpdates look alike).
#pragma once

#include <postern/tls.hpp>
#include <tls-mutual/handles.hpp>
#include <tls-mutual/identity.hpp>

namespace postern::tls_mutual {

// What all sessions share; kept alive by each.
struct Terms : Counted {
    PriorityHandle from_tls12, from_tls13;
    CredentialsHandle client;  // its callback asks the session for the certificate
};

enum class Side : std::uint8_t { server, client };

class Session final : public TlsSession {
public:
    Session(Ref<Terms> terms, Ref<Identity> identity, Side side)
        : terms_(std::move(terms)), identity_(std::move(identity)), side_(side) {}

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

private:
    enum class State : std::uint8_t { handshaking, open, closed, failed };

    std::optional<Failure> open(unsigned flags, TlsVersion minimum, gnutls_certificate_credentials_t);
    template <class Call>
    TlsStatus step(Call call, ssize_t& result);
    TlsStatus fail(ssize_t code);
    TlsStatus fail(std::string text);
    TlsStatus finish_handshake();
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
    Bytes recorded_;  // what the peer sent until then
    TlsVersion minimum_ = TlsVersion::tls12;
    TlsFacts facts_;
    TlsError error_;
};

}  // namespace postern::tls_mutual
