// Roles TlsEngine and TlsResumption over GnuTLS: makes sessions (session.hpp) and loads identities (identity.hpp).
//
// TLS 1.2 and 1.3 only; no renegotiation, compression or early data. It verifies no certificate: the chain goes out as
// sent, and the ChainJudge and the policy say what it is worth. A session continues an earlier one only where a scope
// was named.
#pragma once

#include <postern/tls.hpp>
#include <postern/tls_resumption.hpp>
#include <tls-mutual/session.hpp>

namespace postern::tls_mutual {

class Engine final : public TlsEngine, public TlsResumption {
public:
    Engine();
    Outcome<Ref<TlsIdentity>> load(const TlsIdentityFiles&) override;
    Outcome<Ref<TlsSession>> accept(const TlsServerOptions&) override;
    Outcome<Ref<TlsSession>> connect(const TlsClientOptions&) override;

    Outcome<Ref<TlsSession>> accept(const TlsServerOptions&, std::string_view scope) override;
    Outcome<ResumableSession> connect(const TlsClientOptions&, std::string_view scope, bool anew) override;
    void forget(std::string_view scope) override;
    // Wipes the keys and sessions whose time is over.
    void sweep();

private:
    Outcome<Ref<TlsSession>> serve(const TlsServerOptions&, std::optional<std::string_view> scope);
    Outcome<Ref<Session>> ask(const TlsClientOptions&, std::optional<std::string_view> scope, bool anew);

    Ref<Terms> terms_;  // empty where the library refused our terms: then nothing is offered
};

}  // namespace postern::tls_mutual
