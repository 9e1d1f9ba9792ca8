// The sending side of SMTP and its LMTP dialect (RFC 2033) as a pure machine: octets and facts in, actions out.
// The driver in net/ loops:
//
//   switch (session.next()) {                       // before read, start_tls, close: send take_output()
//     read      -> session.feed(octets)             // within deadline(); else timed_out(); EOF: peer_closed()
//     start_tls -> handshake; tls_established(version) or tls_failed(failure)
//     ask_peer  -> TLS stands: judge the peer against the recipient domain; peer_accepted() or peer_refused(failure)
//     ready     -> begin(transaction) for the next message, or quit()
//     body      -> body_piece(octets, last)         // the message as it is; the machine dot-stuffs where DATA needs it
//     finished  -> outcomes() of this transaction; then next() again
//     close     -> failure() says why, if it was not our QUIT
//   }
#pragma once

#include <chrono>
#include <cstdint>
#include <mail/reply.hpp>
#include <memory>
#include <optional>
#include <postern/types.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::smtp {

enum class TlsPolicy : std::uint8_t {
    none,           // never STARTTLS (LMTP on a local socket, the one retry in clear)
    opportunistic,  // where offered
    required,       // STARTTLS or nothing: the envelope never travels in clear
};

struct Credentials {
    std::string user, password;
};

struct ClientSettings {
    std::string fqdn;  // for EHLO / LHLO
    bool lmtp = false;
    TlsPolicy tls = TlsPolicy::opportunistic;
    bool ask_peer = false;                   // stop at ask_peer after TLS, before anything of the envelope
    bool helo_allowed = true;                // RFC 5321 3.2: only for unlisted domains
    std::optional<Credentials> credentials;  // AUTH inside TLS, behind ask_peer; never in clear (RFC 4954 14)
    std::chrono::seconds reply_time{300};    // for MAIL; others in the proportion of RFC 5321 4.5.3.2
    std::size_t reply_lines = 512, reply_size = 64u << 10;
};

enum class ClientDo : std::uint8_t { read, start_tls, ask_peer, ready, body, finished, close };

struct ClientRecipient {
    std::string address;
    std::string notify, orcpt;  // RFC 3461, as they go on the wire; empty = not asked
};

struct ClientTransaction {
    std::string sender;  // without brackets, empty for <>
    std::vector<ClientRecipient> recipients;
    std::uint64_t size = 0;  // octets of the message, exactly: what body_piece() will add up to
    bool eight_bit = false;  // it holds 8-bit octets
    bool binary = false;     // and lines mean nothing in it
    bool smtputf8 = false;   // its sender asked for SMTPUTF8
    bool utf8_header = false;
    std::string ret, envid;
    std::optional<std::string> whole;  // a short message: sent along with its envelope where the server takes that
};

struct RecipientOutcome {
    VerdictKind kind = VerdictKind::defer;  // proceed = delivered, defer = try again, reject = failed for good
    std::uint16_t code = 0;                 // the peer's, 0 when it did not get to say one
    std::string status;                     // enhanced code, the peer's or derived (RFC 3463)
    std::string text;                       // the peer's words, or ours
    std::string token;                      // reason token where Domain Security decided, else empty
    bool passed_on = false;                 // delivered to a server that will see to its notices (RFC 3461 5.2.2)
};

// A session that ended before or between transactions.
struct ClientFailure {
    std::string token;   // "starttls-not-offered", "handshake-failed" ..., or empty for plain SMTP faults
    std::string status;  // "4.4.1", "4.7.5" ...
    std::string text;
    bool permanent = false;
};

class ClientSession {
public:
    explicit ClientSession(ClientSettings settings);
    ~ClientSession();

    ClientDo next();
    std::string take_output();
    // RFC 5321 4.5.3.2 for the reply that is awaited now, in total not a read: begins anew when replies() moves.
    std::chrono::seconds deadline() const;
    std::uint64_t replies() const;

    void feed(std::string_view octets);
    void peer_closed();
    void timed_out();
    void tls_established();
    void tls_failed(const Failure& failure);
    void peer_accepted();
    void peer_refused(const Failure& failure);  // QUIT, close
    // The peer's alert came after the handshake: its verdict on our certificate ("own-certificate-refused").
    void connection_refused_by_alert(const Failure& failure);

    // Between transactions: RSET, to see whether the server is still there. Then ready, or close.
    void probe();
    void begin(ClientTransaction transaction);
    bool message_sent() const;  // whole, in this transaction: from then on the server may have it
    bool wants_chunks() const;  // the message goes by BDAT: its size must be right
    void body_piece(std::string_view octets, bool last);
    void body_unreadable();  // our storage failed: drop the connection before the final dot
    void quit();

    const std::vector<RecipientOutcome>& outcomes() const;
    const std::optional<ClientFailure>& failure() const;
    bool in_tls() const;
    std::string take_said();  // commands since the last call, for the protocol log: no message data, no secrets
    bool peer_offers(std::string_view extension) const;  // "SIZE", "8BITMIME" ...
    std::string extensions() const;                      // every keyword of the last EHLO reply, one blank between
    std::string_view greeting() const;

    struct State;  // the machine's own files only

private:
    std::unique_ptr<State> state_;
};

}  // namespace postern::smtp
