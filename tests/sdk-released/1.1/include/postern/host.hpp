// What the host offers a plugin, and how a plugin says what it brings. Implemented by the host; append only.
#pragma once

#include <functional>
#include <postern/decider.hpp>
#include <postern/delivery.hpp>
#include <postern/fetch.hpp>
#include <postern/pending.hpp>
#include <postern/tls.hpp>
#include <postern/trust.hpp>
#include <postern/types.hpp>

namespace postern {

// ---- settings: the plugin's block of the configuration, checked against its keys() ----------------------------------

struct SettingsNode {
    std::string key, value;
    std::vector<SettingsNode> children;
    std::string file;
    std::uint32_t line = 0;

    const SettingsNode* find(std::string_view name) const {
        for (const auto& child : children)
            if (child.key == name) return &child;
        return nullptr;
    }
    std::string_view text(std::string_view name, std::string_view otherwise = {}) const {
        const auto* node = find(name);
        return node ? std::string_view(node->value) : otherwise;
    }
    // The keys of a list block, one entry a line.
    std::vector<std::string> list(std::string_view name) const {
        std::vector<std::string> entries;
        if (const auto* node = find(name))
            for (const auto& child : node->children) entries.push_back(child.key);
        return entries;
    }
};

enum class KeyKind : std::uint8_t {
    text = 1,
    number = 2,
    yes_no = 3,
    duration = 4,
    size = 5,
    path = 6,
    list = 7,
    block = 8,
    address = 9
};
struct KeySpec {
    std::string name;  // nested keys with dots: "retry.quick"
    KeyKind kind = KeyKind::text;
    std::string otherwise;    // default, as it would be written; empty = none
    std::string explanation;  // for the reference page
};

struct SettingsProblem {
    std::string file;
    std::uint32_t line = 0;
    std::string key, problem;
};

// ---- log, counters --------------------------------------------------------------------------------------------------

enum class Severity : std::uint8_t { debug = 1, info = 2, warning = 3, error = 4 };
enum class CounterKind : std::uint8_t { counter = 1, gauge = 2 };
struct CounterSample {
    std::string name;    // "postern_domain_secured_messages_received_total"
    std::string labels;  // Prometheus text: domain="woodgrovebank.com",reason="expired"; or empty
    CounterKind kind = CounterKind::counter;
    double value = 0;
    std::string explanation;
};

// ---- admin verbs ----------------------------------------------------------------------------------------------------

enum class VerbRuns : std::uint8_t { here = 1, in_daemon = 2, either = 3 };
struct VerbSpec {
    std::string words;  // "crl list"
    std::string usage;  // "crl list [--json]"
    std::string help;   // one line
    VerbRuns runs = VerbRuns::here;
};
struct VerbResult {
    int status = 0;  // exit status
    std::string out, err;
};
class AdminVerbs {
public:
    static constexpr std::string_view id = "postern.admin-verbs.1";  // several, by name
    virtual ~AdminVerbs() = default;
    virtual std::vector<VerbSpec> verbs() const = 0;
    // words: the verb and its arguments, split. May block: runs on the lane in the daemon, on main in the CLI.
    virtual Pending<VerbResult> run(std::vector<std::string> words) = 0;
};

// ---- the configuration ---------------------------------------------------------------------------------------------
// As far as it is everybody's. Since 1.1.

enum class ConnectorKind : std::uint8_t { receive = 1, send = 2 };
struct ConnectorView {
    ConnectorKind kind = ConnectorKind::receive;
    std::string name, fqdn;
    std::string certificate;  // as configured: a block's name, a SHA-256, or empty for the one that fits
    std::string chain_file;   // of that block; else empty
    bool tls = false;         // it offers, or tries, TLS
    bool domain_secure = false;
};
struct ConfigurationView {
    std::string file;  // empty: there is none
    std::string fqdn;
    std::vector<std::string> accepted_domains;  // canonical, sorted
    std::vector<ConnectorView> connectors;
    std::vector<std::string> send_list, receive_list;  // secure lists' entries
    TrustScopeFiles trust;  // the system's roots, all named roots, everybody's intermediates: who may believe us
};

// ---- the host -------------------------------------------------------------------------------------------------------

class Host {
public:
    virtual ~Host() = default;
    // `id` is an entry of the plugin's message catalogue: stable, kebab-case. Any thread.
    virtual void log(Severity, std::string_view id, std::string_view text) = 0;
    // Raises (or ends, with empty text) an alarm under a stable id and subject. Any thread.
    virtual void alarm(std::string_view id, std::string_view subject, std::string_view text) = 0;
    virtual void count(std::string_view counter, std::string_view labels, double add) = 0;
    virtual void gauge(std::string_view name, std::string_view labels, double value) = 0;  // NaN: the series ends
    virtual std::vector<CounterSample> counters() const = 0;
    virtual Time now() const = 0;
    // Runs once, on a thread of the host's bounded pool; must not block for long. Dropped when the plugin retires.
    virtual void after(Milliseconds, std::function<void()>) = 0;
    virtual void offload(std::function<void()>) = 0;
    // A folder of the plugin's own, mode 0700, that survives restarts; empty where the CLI has no configuration.
    virtual std::string state_folder() const = 0;
    virtual const SettingsNode& settings() const = 0;
    // Domains that are ours (fqdns and accepted domains), canonical.
    virtual std::vector<std::string> own_domains() const = 0;

    // A provider of a role, or null: ask at each use, never keep. Roles with one provider have no name.
    virtual void* role(std::string_view role_id, std::string_view name) = 0;
    template <class Role>
    Role* role(std::string_view name = {}) {
        return static_cast<Role*>(role(Role::id, name));
    }

    // Since SDK 1.1. The trust scopes of the configuration by name ("": everybody's, then those of partners with roots
    // of their own); none where there is no configuration.
    virtual std::vector<TrustScopeFiles> trust_scopes() const { return {}; }
    // Since 1.1. The generation in force; on the command line the file that it was started with.
    virtual ConfigurationView configuration() const { return {}; }
    // Has the running daemon carry out a verb, and waits; not for the daemon itself. "no-daemon" where none runs.
    virtual Outcome<VerbResult> ask_daemon(const std::vector<std::string>&) {
        return Failure{"no-daemon", "no daemon runs"};
    }
};

enum class Runs : std::uint8_t {
    lane = 1,     // the plugin's own thread and bounded queue (default)
    inline_ = 2,  // promises never to block; a watchdog names it
};

class Registrar {
public:
    virtual ~Registrar() = default;
    virtual Host& host() = 0;
    virtual void provide(std::string_view role_id, std::string_view name, void* provider, Runs) = 0;
    template <class Role>
    void provide(Role& provider, Runs runs = Runs::lane, std::string_view name = {}) {
        provide(Role::id, name, static_cast<void*>(&provider), runs);
    }
};

}  // namespace postern
