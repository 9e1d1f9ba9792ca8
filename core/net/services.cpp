#include <atomic>
#include <cstdio>
#include <net/services.hpp>
#include <random>

namespace postern::net {

static Ref<TlsIdentity> own_identity(const Generation& generation, const std::string& certificate,
                                     const std::string& fqdn, CertificateUse use) {
    if (!certificate.empty() && !config::is_sha256(certificate)) return generation.identity(certificate);
    auto* store = generation.providers->own_certificates;
    return store ? store->choose({fqdn, use, certificate}) : Ref<TlsIdentity>();
}

Ref<TlsIdentity> Generation::identity(const config::ReceiveConnector& connector) const {
    return own_identity(*this, connector.certificate, connector.fqdn, CertificateUse::server);
}

Ref<TlsIdentity> Generation::identity(const config::SendConnector& connector) const {
    return own_identity(*this, connector.certificate, connector.fqdn, CertificateUse::client);
}

bool Generation::waits_for_token(const Ref<TlsIdentity>& identity) const {
    return identity && providers->own_certificates && providers->own_certificates->waits_for_token(*identity);
}

static Failure no_engine() { return {"role-missing", "the plugin tls-mutual is not loaded"}; }

Outcome<Ref<TlsSession>> Generation::accept(const config::ReceiveConnector& connector,
                                            const TlsServerOptions& options) const {
    if (!providers->tls) return no_engine();
    if (!options.identity)
        return Failure{"no-own-certificate", "no certificate of ours fits " + connector.fqdn + " any more"};
    if (!providers->resumption) return providers->tls->accept(options);
    return providers->resumption->accept(options, std::to_string(number) + " receive " + connector.name);
}

Outcome<ResumableSession> Generation::connect(const TlsClientOptions& options, const std::string& scope,
                                              bool anew) const {
    if (!providers->tls) return no_engine();
    if (providers->resumption)
        return providers->resumption->connect(options, std::to_string(number) + " send " + scope, anew);
    auto session = providers->tls->connect(options);
    if (!session) return session.failure;
    return ResumableSession{std::move(*session), false};
}

void Generation::forget(const std::string& scope) const {
    if (providers->resumption) providers->resumption->forget(std::to_string(number) + " send " + scope);
}

const CertificateFacts& Generation::shown(const TlsSession& session, const Ref<TlsIdentity>& offered) const {
    const auto* facts = providers->own_certificates ? providers->own_certificates->presented(session) : nullptr;
    return facts ? *facts : offered->certificate();
}

static constexpr std::size_t remembered_addresses = 10000;

void HandshakeMemory::failed(const std::string& address) {
    std::lock_guard lock(mutex_);
    // Full: what strangers can fill must not grow; the oldest knowledge is the least useful.
    if (until_.size() >= remembered_addresses && !until_.contains(address)) until_.erase(until_.begin());
    until_[address] = within(std::chrono::hours(1));
}

void HandshakeMemory::sent_for_listed(const std::string& address) {
    std::lock_guard lock(mutex_);
    if (listed_.size() < remembered_addresses) listed_.insert(address);
}

bool HandshakeMemory::ask_for_certificate(const std::string& address) const {
    if (!failed_lately(address)) return true;
    std::lock_guard lock(mutex_);
    return listed_.contains(address);
}

void HandshakeMemory::forget(const std::string& address) {
    std::lock_guard lock(mutex_);
    until_.erase(address);
}

bool HandshakeMemory::failed_lately(const std::string& address) const {
    std::lock_guard lock(mutex_);
    auto found = until_.find(address);
    return found != until_.end() && found->second > std::chrono::steady_clock::now();
}

std::string new_session_id() {
    static const std::uint64_t start = [] {
        std::random_device random;
        return static_cast<std::uint64_t>(random()) << 32 | random();
    }();
    static std::atomic<std::uint64_t> count{0};
    char text[17];
    std::snprintf(text, sizeof text, "%016llX", static_cast<unsigned long long>(start + count.fetch_add(1)));
    return text;
}

std::string utc_text(Time time) {
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    const std::time_t seconds = millis / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[96];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                  parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(millis % 1000));
    return text;
}

}  // namespace postern::net
