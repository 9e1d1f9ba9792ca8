// What every session and delivery works with: one generation of the configuration, and the process's own parts. Built
// top to bottom in app/; nothing here owns a thread.
#pragma once

#include <atomic>
#include <base/alarms.hpp>
#include <config/settings.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <net/asio.hpp>
#include <net/held_octets.hpp>
#include <net/recent_judgements.hpp>
#include <net/resolver.hpp>
#include <net/sources.hpp>
#include <net/warm_connections.hpp>
#include <plugins/plugin_set.hpp>
#include <policy/events.hpp>
#include <queue/queue.hpp>
#include <script/script_set.hpp>
#include <set>

namespace postern::net {

struct Worker;

// Immutable; a transaction finishes under the generation it began with.
struct Generation {
    std::uint64_t number = 0;
    std::shared_ptr<const config::Settings> settings;
    std::shared_ptr<const script::ScriptSet> scripts;     // null: no scripts folder
    std::shared_ptr<const plugins::Providers> providers;  // never null
    Ref<TrustScopes> scopes;                              // null: no judge
    std::map<std::string, Ref<TlsIdentity>, std::less<>> identities;
    std::vector<std::unique_ptr<script::ScriptHost>>
        script_hosts;  // by worker, each that one's alone; empty: no scripts

    // A certificate of the configuration, by its block's name.
    Ref<TlsIdentity> identity(std::string_view name) const {
        auto found = identities.find(name);
        return found == identities.end() ? Ref<TlsIdentity>() : found->second;
    }
    script::ScriptHost* script_host(const Worker& worker) const;  // null: no scripts
    // What a connector shows now: the block that it names, else what its plugin's store has for its fqdn, or the one
    // that it pins. Another one a moment later, where the store changes; empty where nothing fits.
    Ref<TlsIdentity> identity(const config::ReceiveConnector&) const;
    Ref<TlsIdentity> identity(const config::SendConnector&) const;
    // Whether a handshake with it may block, since its key lies in a token.
    bool waits_for_token(const Ref<TlsIdentity>&) const;
    // TLS for a connector, new or continued. What may continue what: the same connector of the same generation.
    Outcome<Ref<TlsSession>> accept(const config::ReceiveConnector&, const TlsServerOptions&) const;
    // `scope`: all that must be alike but for what this generation says; `anew`: nothing earlier is offered.
    Outcome<ResumableSession> connect(const TlsClientOptions&, const std::string& scope, bool anew) const;
    void forget(const std::string& scope) const;
    // Which certificate of ours the peer was shown; that of `offered` where nobody knows better.
    const CertificateFacts& shown(const TlsSession&, const Ref<TlsIdentity>& offered) const;
};

// Addresses with which a handshake broke within the last hour: they are not told that STARTTLS is missing on their
// side, and are not asked for a certificate next time, lest it broke because of that; but whoever ever sent for a
// listed domain is always asked. Bounded; any thread.
class HandshakeMemory {
public:
    void failed(const std::string& address);
    void sent_for_listed(const std::string& address);
    bool ask_for_certificate(const std::string& address) const;
    void forget(const std::string& address);
    bool failed_lately(const std::string& address) const;

private:
    mutable std::mutex mutex_;
    std::map<std::string, Deadline> until_;
    std::set<std::string> listed_;
};

class PartnerCertificates;

struct Services {
    Log& log;
    Counters& counters;
    Alarms& alarms;
    plugins::PluginSet& plugins;
    queue::Spool& spool;
    queue::Queue& queue;
    Resolver& resolver;
    asio::thread_pool& pool;  // for what blocks: commits, look-ups on disk
    HandshakeMemory& handshakes;
    // Tells who listens at an event that belongs to no session, on one worker, later. Any thread.
    std::function<void(std::shared_ptr<const policy::AskedQuestion>)> announce;
    asio::thread_pool& token_pool;  // apart from `pool`: a token that hangs holds up no commit
    WarmConnections& warm;
    PartnerCertificates& partner_certificates;
    SourceRates& rates;
    HeldOctets& held;
};

// A session, which may sit idle for long: told on its worker's thread that a newer generation is in force, so that what
// waits for a peer keeps no old one alive.
class GenerationHolder {
public:
    virtual void newer_generation() = 0;
    virtual void look_again() {}  // there are many, or we end: who waits may have less time now

protected:
    ~GenerationHolder() = default;
};

// What belongs to one worker: its loop's thread alone touches it.
struct Worker {
    asio::io_context loop{1};
    std::shared_ptr<const Generation> generation;
    std::size_t number = 0;
    std::set<GenerationHolder*> holders;
    RecentJudgements judgements;
    std::vector<std::shared_ptr<asio::steady_timer>> script_clocks;  // of the generation in force
    std::atomic<std::size_t> sessions{0};                            // from its accepting to its end
};

inline script::ScriptHost* Generation::script_host(const Worker& worker) const {
    return worker.number < script_hosts.size() ? script_hosts[worker.number].get() : nullptr;
}

// "08C895F533E837EC": unique enough for logs, never a secret.
std::string new_session_id();

// "2026-10-02T22:37:53.323Z", as the protocol log writes it.
std::string utc_text(Time time);

}  // namespace postern::net
