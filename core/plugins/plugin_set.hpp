// The plugins in use: files checked and loaded (loader.hpp), roles and hooks registered, each call guarded and, where
// the provider did not promise to be inline, made on the plugin's lane (lane.hpp). The only folder that knows
// Boost.DLL.
//
// A reload goes load, check, start (what is new registers what it brings), then apply: all or nothing. Reload thread
// and workers meet here: who looks a provider up gets one that stays alive to the end of the process, also when its
// plugin is taken out meanwhile.
#pragma once

#include <base/alarms.hpp>
#include <base/counters.hpp>
#include <base/log.hpp>
#include <config/settings.hpp>
#include <functional>
#include <memory>
#include <postern/learning_judge.hpp>
#include <postern/own_certificates.hpp>
#include <postern/plugin.hpp>
#include <postern/tls_resumption.hpp>
#include <span>
#include <string>
#include <vector>

namespace postern::plugins {

// What a plugin's Host is made of; outlives the set.
struct HostParts {
    Log* log = nullptr;
    Counters* counters = nullptr;
    Alarms* alarms = nullptr;
    std::string state_folder;  // parent; each plugin gets its own below; may be empty
    std::function<std::vector<std::string>()> own_domains;
    std::function<std::vector<TrustScopeFiles>()> trust_scopes;
    std::function<ConfigurationView()> configuration;
    std::function<Outcome<VerbResult>(const std::vector<std::string>&)> ask_daemon;  // the command line's alone
    Milliseconds lane_deadline{30000};
    std::size_t lane_queue = 1024;
};

// What one generation asks where an answer is bound to who gave it: identities and trust scopes are objects of their
// engine and judge, and a transaction is to end with the deciders that it began with. As long as it lives, who is named
// here answers, also when a newer file has taken its place.
class Providers {
public:
    struct NamedDecider {
        std::string name;
        Decider* decider;
    };
    TlsEngine* tls = nullptr;
    ChainJudge* judge = nullptr;
    LearningJudge* learning_judge = nullptr;      // of the same file, where it can
    OwnCertificates* own_certificates = nullptr;  // of the plugin that provides `tls`: it alone knows its identities
    TlsResumption* resumption = nullptr;          // of the same; null: every handshake is a whole one
    std::span<const NamedDecider> deciders(Event event) const;  // in the order of the configuration

private:
    friend class PluginSet;
    std::vector<std::vector<NamedDecider>> deciders_;  // by the event's number
    std::vector<std::shared_ptr<void>> in_use_;
};

// A matcher as the host holds it: what threw is told apart from a name that does not speak, since that is answered 5xx.
class HeldMatcher : public NameMatcher {
public:
    virtual Outcome<NameEvidence> evidence(const CertificateFacts& leaf, std::string_view domain,
                                           const NameRule& rule) = 0;
};

class PluginSet {
public:
    explicit PluginSet(HostParts parts);
    ~PluginSet();  // retires all; code is never unloaded

    // Loads and checks, starts nothing. Problems name file and remedy. A plugin already in the set is kept as it is,
    // unless a newer file was renamed over its own: that is loaded beside it. Overwritten in place it is refused.
    std::vector<config::ConfigProblem> load(const std::string& folder, const std::vector<config::PluginEntry>& wanted);
    // Checks every plugin's block against its keys and its own check(). Pure.
    std::vector<config::ConfigProblem> check(const std::vector<config::PluginEntry>& wanted) const;
    // start() of those that are new: they register what they bring and do nothing yet.
    void start(const std::vector<config::PluginEntry>& wanted);
    // Of what was started: for a generation to keep.
    std::shared_ptr<const Providers> providers(const std::vector<config::PluginEntry>& wanted) const;
    // The configuration is taken: newer files take their place, apply() of all that are wanted, the others retire.
    void apply(const std::vector<config::PluginEntry>& wanted);
    // The configuration was refused: what was loaded for it and never applied goes again.
    void withdraw();
    void retire();
    // Ends the lanes of those that retired and that no generation names any more.
    void sweep();

    // Guarded, lane-wrapped providers; null where nobody provides it. What was given stays valid for the life of the
    // set; a retired plugin's lane answers plugin-failed. Any thread.
    HeldMatcher* names() const;
    RevocationChecker* revocation() const;
    Fetcher* fetcher(std::string_view scheme) const;
    ProxyResolver* proxy() const;
    Delivery* delivery(std::string_view name) const;
    // Whether any observer watches that event: a load of one word.
    bool observed(Event event) const;
    std::vector<Observer*> observers(Event event) const;
    std::vector<ProtocolObserver*> protocol_observers() const;
    struct NamedVerbs {
        std::string plugin;
        AdminVerbs* verbs;                                                      // run() is made on the plugin's lane
        std::function<Pending<VerbResult>(std::vector<std::string>)> run_here;  // on the caller's thread
    };
    std::vector<NamedVerbs> verbs() const;
    struct Loaded {
        std::string name, version, file, sdk;
        std::string state;  // "in use", or how much of an older one is left
        std::vector<std::string> roles;
    };
    // Those in use; `with_retired`: behind them the older ones that generations still name.
    std::vector<Loaded> loaded(bool with_retired = false) const;
    std::vector<KeySpec> keys(const std::string& name) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace postern::plugins
