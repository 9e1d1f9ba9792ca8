// Role TlsResumption (since 1.1): TLS sessions that may continue an earlier one (RFC 8446 2.2, RFC 5077). One provider,
// the TlsEngine's plugin; inline. Never early data.
//
// `scope` is the host's text for all that must be alike before one session may continue another: a receive connector
// and the generation of its configuration; a destination's domain, its requirement, the host. The engine adds what it
// knows itself: our certificate, whether the client's is asked for, the lowest version. What is not alike gets a whole
// handshake, and so does what cannot be continued: neither side fails because of it.
//
// facts() of a continued session are what the handshake that it goes back to established, peer_chain and staple too,
// with `resumed` set. They are to be judged like any other's: what was good then may be revoked now.
#pragma once

#include <postern/tls.hpp>

namespace postern {

struct ResumableSession {
    Ref<TlsSession> session;
    bool offers = false;  // an earlier session: where the handshake breaks, that may be why; connect `anew`
};

class TlsResumption {
public:
    static constexpr std::string_view id = "postern.tls-resumption.1";
    virtual ~TlsResumption() = default;
    // As TlsEngine::accept and ::connect.
    virtual Outcome<Ref<TlsSession>> accept(const TlsServerOptions&, std::string_view scope) = 0;
    // `anew`: nothing is offered; what the server gives for later is kept all the same.
    virtual Outcome<ResumableSession> connect(const TlsClientOptions&, std::string_view scope, bool anew) = 0;
    // A client's scope: nothing that was kept for it is offered again.
    virtual void forget(std::string_view scope) = 0;
};

}  // namespace postern
