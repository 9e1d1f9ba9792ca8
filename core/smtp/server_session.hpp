// The receiving side of SMTP as a pure machine (RFC 5321, 3207, 2920, 1870, 6152, 2034, 3030, 3461, 6531): octets
// and verdicts in, actions out. No socket, clock, thread, TLS or Lua in it. The driver in net/ loops:
//
//   switch (session.next()) {                              // before read, start_tls, close: send take_output()
//     read      -> session.feed(octets from the peer)      // or feed nothing more: timed_out(), shut_down()
//     ask       -> session.answer(verdict)                 // phase() says what for, transaction() holds the facts
//     start_tls -> handshake, then tls_established(facts)  // or close the connection: nothing may follow in clear
//     header    -> header() is the whole header section    // rewrite, store; header_stored() or storage_failed(reply)
//     body      -> body() is the next piece                // store; body_stored() or storage_failed(reply)
//     commit    -> make it durable, then committed(reply)  // reply: 250 ... or a refusal
//     send      -> send take_output(), then go on          // the peer asks more at once than it may leave unread
//     close     -> the end
//   }
#pragma once

#include <cstdint>
#include <mail/address.hpp>
#include <mail/reply.hpp>
#include <memory>
#include <optional>
#include <postern/types.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::smtp {

enum class StartTls : std::uint8_t { not_configured, offered, unavailable };  // 502, 220, 454

struct ServerLimits {
    std::uint64_t message_size = 36u << 20;
    std::size_t header_size = 256u << 10;
    std::size_t recipients = 200;
    std::size_t hops = 100;
    std::size_t text_line = 64u << 10;
    std::size_t command_line = 4096, auth_line = 12288;  // RFC 4954 4
    std::size_t errors = 10;                             // syntax, unknown, out of order
    std::size_t unknown_recipients = 20;
};

struct ServerSettings {
    std::string fqdn;
    StartTls starttls = StartTls::not_configured;
    bool size = true, pipelining = true, eight_bit_mime = true, enhanced_status_codes = true;
    bool chunking = true, dsn = true;
    bool smtputf8 = true;                  // needs eight_bit_mime (RFC 6531 3.1)
    bool binary_mime = false;              // needs chunking and eight_bit_mime (RFC 3030 3)
    bool normalize_bare_newlines = false;  // trusted servers and named ranges only
    ServerLimits limits;
};

// Who connected, as far as the greeting and EHLO replies show it.
struct ServerPeer {
    std::string address;     // literal without port
    std::string session_id;  // 16 hex digits
};

enum class ServerDo : std::uint8_t { read, ask, start_tls, header, body, commit, send, close };
enum class ServerPhase : std::uint8_t { connect, helo, starttls, auth, mail, recipient, data };

enum class Body : std::uint8_t { seven_bit, eight_bit, binary };

// What the sender asked about notices for one recipient (RFC 3461 4); texts as they are passed on, empty = not asked.
struct Wishes {
    std::string notify, orcpt;
};

struct Transaction {
    mail::Path sender;                   // empty path for <>
    std::vector<mail::Path> recipients;  // those accepted; during ServerPhase::recipient not yet the asked one
    mail::Path asked;                    // ServerPhase::recipient: the one in question
    std::vector<Wishes> wishes;          // one for each of recipients
    Wishes asked_wishes;                 // of the asked one
    std::uint64_t declared_size = 0;     // SIZE=, 0 = not given
    Body body = Body::seven_bit;         // BODY=
    bool smtputf8 = false;               // SMTPUTF8
    std::string ret, envid;              // RET=, ENVID=; empty = not given
    bool has_bare_eight_bit = false;     // 8-bit octets came, declared or not
    bool eight_bit_header = false;       // some of them in the header section
};

class ServerSession {
public:
    ServerSession(ServerSettings settings, ServerPeer peer);
    ~ServerSession();

    ServerDo next();
    std::string take_output();  // replies since the last call, in order

    void feed(std::string_view octets);
    void feed_moved(std::string octets);        // the same without a copy, mostly
    void peer_closed();                         // EOF: an unfinished message is forgotten
    void timed_out();                           // 421 4.4.2
    void shut_down();                           // 421 4.3.2 at the next command boundary
    void refuse(const mail::Reply& last_word);  // 421 and close, for limits of the driver

    ServerPhase phase() const;
    std::string_view auth_mechanism() const;  // ServerPhase::auth: upper case, as asked for
    void answer(const Verdict& verdict);      // a decider's nonsense becomes 451 4.3.0 here
    // ServerPhase::helo, before answer(): keywords left out of this EHLO reply, whole lines put in.
    void edit_extensions(std::vector<std::string> hidden, std::vector<std::string> added);
    // RCPT: like answer, and counts towards unknown_recipients.
    void answer_unknown_recipient(const Verdict& verdict);

    void tls_established();  // forgets everything said in clear (RFC 3207 4.2)
    bool in_tls() const;
    bool in_transaction() const;
    bool in_transfer() const;  // what comes is message data, not commands
    // Lines and messages taken so far: as long as it stands, what drips in belongs to one command.
    std::uint64_t taken() const;
    // Octets kept of what is not whole yet: a line, recipients, a header section, a piece of the body.
    std::size_t held() const;
    // Protocol errors and unknown recipients since the last call whose replies the peer has not got yet.
    std::size_t take_offences();
    std::string take_heard();  // commands since the last call, CRLF-ended, for the protocol log: never message data

    std::string_view header() const;  // with the empty line that ends it; strict CRLF
    void header_stored();
    std::string_view body() const;
    void body_stored();
    void storage_failed(const mail::Reply& reply);  // reads to the end, then answers so
    void committed(const mail::Reply& reply);

    const Transaction& transaction() const;
    std::string_view helo() const;      // canonical where it is a domain
    bool extended() const;              // EHLO, not HELO
    bool starttls_was_offered() const;  // in this session's last EHLO reply
    bool starttls_was_tried() const;

    // A new generation's settings; taken up at the next transaction.
    void settings(ServerSettings settings);

    struct State;  // the machine's own files only

private:
    std::unique_ptr<State> state_;
};

}  // namespace postern::smtp
