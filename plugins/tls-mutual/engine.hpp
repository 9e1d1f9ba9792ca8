// Role TlsEngine over GnuTLS: makes sessions (session.hpp) and loads identities (identity.hpp).
//
// TLS 1.2 and 1.3 only; no renegotiation, compression, tickets or early data. It verifies no certificate: the chain
// goes out as sent, and the ChainJudge and the policy say what it is worth.
#pragma once

#include <postern/tls.hpp>
#include <tls-mutual/session.hpp>

namespace postern::tls_mutual {

class Engine final : public TlsEngine {
public:
    Engine();
    Outcome<Ref<TlsIdentity>> load(const TlsIdentityFiles&) override;
    Outcome<Ref<TlsSession>> accept(const TlsServerOptions&) override;
    Outcome<Ref<TlsSession>> connect(const TlsClientOptions&) override;

private:
    Ref<Terms> terms_;  // empty where the library refused our terms: then nothing is offered
};

}  // namespace postern::tls_mutual
