// Role TlsEngine: TLS as a machine without sockets. One provider; inline (it never blocks, never fetches, never
// judges).
//
// A TlsSession lives on one worker. The host feeds what the network brought, steps, and sends what `drain` gives.
// RFC 8446, RFC 5246 (1.2 is the floor), RFC 3207. The engine reports whom it spoke to; whether that is good enough is
// for the ChainJudge (trust.hpp) and the policy to say.
#pragma once

#include <postern/certificate.hpp>
#include <postern/pending.hpp>
#include <postern/types.hpp>

namespace postern {

// A chain and its private key, loaded and kept by the engine: the only place that touches the key.
class TlsIdentity : public Counted {
public:
    virtual const CertificateFacts& certificate() const = 0;  // our leaf
    virtual const std::vector<Bytes>& chain() const = 0;      // DER, leaf first
};

struct TlsIdentityFiles {
    std::string name;        // the configuration's name of it, for messages
    std::string chain_file;  // PEM, leaf first
    std::string key_file;    // PEM, PKCS#8 or traditional, unencrypted
};

enum class TlsVersion : std::uint8_t { unknown = 0, tls12 = 12, tls13 = 13 };

struct TlsServerOptions {
    Ref<TlsIdentity> identity;                // never empty
    bool request_client_certificate = false;  // asked with an empty CA list, never demanded
    TlsVersion minimum = TlsVersion::tls12;
    bool choose_on_hello = false;  // handshake() stops once at `hello`, and goes on after choose()
};

// What may still be chosen when the client hello is known.
struct TlsServerChoice {
    Ref<TlsIdentity> identity;  // never empty
    bool request_client_certificate = false;
};

struct TlsClientOptions {
    Ref<TlsIdentity> identity;  // may be empty; where set it is sent whatever CAs the server names
    std::string server_name;    // SNI: the MX host, an A-label; empty for none
    TlsVersion minimum = TlsVersion::tls12;
};

struct TlsFacts {
    TlsVersion version = TlsVersion::unknown;
    std::string protocol;                      // "TLS1.3"
    std::string cipher;                        // IANA name: "TLS_AES_256_GCM_SHA384"
    std::vector<CertificateFacts> peer_chain;  // as sent, leaf first; empty = none presented
    Bytes staple;                              // stapled OCSP response, or empty
    bool resumed = false;
    bool certificate_requested = false;  // as client: the server asked for ours
    bool own_certificate_sent = false;
    std::string server_name;  // as server: the client's SNI
};

enum class TlsStatus : std::uint8_t {
    ok = 1,          // handshake done / bytes were read or taken
    want_input = 2,  // the fed bytes are used up
    closed = 3,      // the peer's close_notify came
    failed = 4,      // see error(); nothing may be said in clear afterwards
    hello = 5,       // as server, where it was asked for: the client hello is in; facts() has server_name; choose()
};

// What went wrong, split by whose fault it says it is.
struct TlsError {
    std::string text;                      // one sentence for our operator
    std::string alert;                     // name of the alert received ("bad_certificate"), or empty
    bool own_certificate_refused = false;  // the peer's alert is its verdict on *our* certificate
};

class TlsSession : public Counted {
public:
    virtual void feed(BytesView ciphertext) = 0;      // copied
    virtual TlsStatus handshake() = 0;                // call again after each feed until ok or failed
    virtual void choose(const TlsServerChoice&) = 0;  // once, after `hello`; then handshake() again
    virtual TlsStatus read(std::span<std::uint8_t> into, std::size_t& count) = 0;
    virtual TlsStatus write(BytesView plaintext) = 0;  // encrypts all of it; drain what it made
    virtual void close() = 0;                          // queues close_notify
    virtual void drain(Bytes& into) = 0;               // appends ciphertext to send, forgets it
    virtual const TlsFacts& facts() const = 0;         // complete once handshake() gave ok
    virtual const TlsError& error() const = 0;
};

class TlsEngine {
public:
    static constexpr std::string_view id = "postern.tls-engine.1";
    virtual ~TlsEngine() = default;
    // Reads files; called off the workers. The failure names file, fault and remedy.
    virtual Outcome<Ref<TlsIdentity>> load(const TlsIdentityFiles&) = 0;
    virtual Outcome<Ref<TlsSession>> accept(const TlsServerOptions&) = 0;
    virtual Outcome<Ref<TlsSession>> connect(const TlsClientOptions&) = 0;
};

}  // namespace postern
