#include <tls-mutual/engine.hpp>

namespace postern::tls_mutual {
namespace {

// Forward secrecy always (no static RSA); CBC suites stay behind the others for old peers, since the alternative for
// unlisted mail is clear text.
// X25519 before P-256, which GnuTLS puts first: a sixth of a handshake's time less. AES-128 before AES-256, since it is
// as strong as these groups and a P-256 key are, and its SHA-256 is an instruction of the processor: a tenth less
// again.
constexpr const char* from_tls12 = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-3DES-CBC";
constexpr const char* from_tls13 = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
constexpr const char* order =
    ":%SERVER_PRECEDENCE:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-CCM:+AES-256-CCM"
    ":+AES-256-CBC:+AES-128-CBC"
    ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-X448:+GROUP-SECP384R1:+GROUP-SECP521R1"
    ":+GROUP-FFDHE2048:+GROUP-FFDHE3072:+GROUP-FFDHE4096:+GROUP-FFDHE6144:+GROUP-FFDHE8192";

// Asked when a server requests a certificate: ours, whatever CAs it names.
int own_certificate(gnutls_session_t session, const gnutls_datum_t*, int, const gnutls_pk_algorithm_t* algorithms,
                    int algorithm_count, gnutls_pcert_st** certificates, unsigned* count, gnutls_privkey_t* key) {
    auto* self = static_cast<Session*>(gnutls_session_get_ptr(session));
    return self->hand_out_certificate(algorithms, algorithm_count, certificates, count, key);
}

PriorityHandle priority(const char* text) {
    gnutls_priority_t raw = nullptr;
    const auto whole = std::string(text) + order;
    return PriorityHandle(gnutls_priority_init(&raw, whole.c_str(), nullptr) == 0 ? raw : nullptr);
}

Failure unavailable() {
    return {"tls-unavailable", "the TLS library refused Postern's terms; check /etc/gnutls/config"};
}

}  // namespace

Engine::Engine() {
    auto terms = make_ref<Terms>();
    terms->from_tls12 = priority(from_tls12);
    terms->from_tls13 = priority(from_tls13);
    gnutls_certificate_credentials_t raw = nullptr;
    if (gnutls_certificate_allocate_credentials(&raw) != 0) return;
    terms->client.reset(raw);
    gnutls_certificate_set_retrieve_function2(raw, own_certificate);
    if (terms->from_tls12 && terms->from_tls13) terms_ = terms;
}

Outcome<Ref<TlsIdentity>> Engine::load(const TlsIdentityFiles& files) { return load_identity(files); }

Outcome<Ref<TlsSession>> Engine::serve(const TlsServerOptions& options, std::optional<std::string_view> scope) {
    if (!terms_) return unavailable();
    if (!options.identity) return Failure{"tls-unavailable", "a TLS server needs a certificate; name one"};
    Ref<Identity> identity(static_cast<Identity*>(options.identity.get()));
    auto session = make_ref<Session>(terms_, std::move(identity), Side::server);
    if (scope) session->resume_within(*scope);
    if (auto failure = session->open_server(options)) return *failure;
    return Ref<TlsSession>(session);
}

Outcome<Ref<Session>> Engine::ask(const TlsClientOptions& options, std::optional<std::string_view> scope, bool anew) {
    if (!terms_) return unavailable();
    Ref<Identity> identity(static_cast<Identity*>(options.identity.get()));
    auto session = make_ref<Session>(terms_, std::move(identity), Side::client);
    if (scope) session->resume_within(*scope, anew);
    if (auto failure = session->open_client(options)) return *failure;
    return session;
}

Outcome<Ref<TlsSession>> Engine::accept(const TlsServerOptions& options) { return serve(options, std::nullopt); }

Outcome<Ref<TlsSession>> Engine::accept(const TlsServerOptions& options, std::string_view scope) {
    return serve(options, scope);
}

Outcome<Ref<TlsSession>> Engine::connect(const TlsClientOptions& options) {
    auto session = ask(options, std::nullopt, true);
    if (!session) return session.failure;
    return Ref<TlsSession>(*session);
}

Outcome<ResumableSession> Engine::connect(const TlsClientOptions& options, std::string_view scope, bool anew) {
    auto session = ask(options, scope, anew);
    if (!session) return session.failure;
    return ResumableSession{Ref<TlsSession>(*session), (*session)->offers()};
}

void Engine::forget(std::string_view scope) {
    if (terms_) terms_->earlier_sessions.forget(std::string(scope) + '\0');
}

void Engine::sweep() {
    if (!terms_) return;
    const auto now = std::chrono::steady_clock::now();
    terms_->ticket_keys.sweep(now);
    terms_->earlier_sessions.sweep(now);
}

}  // namespace postern::tls_mutual
