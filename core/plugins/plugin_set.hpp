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
#include <postern/plugin.hpp>
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
    Milliseconds lane_deadline{30000};
    std::size_t lane_queue = 1024;
};

class PluginSet {
public:
    explicit PluginSet(HostParts parts);
    ~PluginSet();  // retires all; code is never unloaded

    // Loads and checks, starts nothing. Problems name file and remedy. A plugin already in the set is kept as it is.
    std::vector<config::ConfigProblem> load(const std::string& folder, const std::vector<config::PluginEntry>& wanted);
    // Checks every plugin's block against its keys and its own check(). Pure.
    std::vector<config::ConfigProblem> check(const std::vector<config::PluginEntry>& wanted) const;
    // start() of those that are new: they register what they bring and do nothing yet.
    void start(const std::vector<config::PluginEntry>& wanted);
    // The configuration is taken: apply() of all that are wanted, and the others retire.
    void apply(const std::vector<config::PluginEntry>& wanted);
    // The configuration was refused: what was loaded for it and never applied goes again.
    void withdraw();
    void retire();

    // Guarded, lane-wrapped providers; null where nobody provides it. What was given stays valid for the life of the
    // set; a retired plugin's lane answers plugin-failed. Any thread.
    TlsEngine* tls() const;
    NameMatcher* names() const;
    ChainJudge* judge() const;
    RevocationChecker* revocation() const;
    Fetcher* fetcher(std::string_view scheme) const;
    ProxyResolver* proxy() const;
    Delivery* delivery(std::string_view name) const;
    struct NamedDecider {
        std::string name;
        Decider* decider;
    };
    // Whether any decider or observer listens at that event: a load of one word.
    bool listened_to(Event event) const;
    std::vector<NamedDecider> deciders(Event event) const;
    std::vector<Observer*> observers(Event event) const;
    std::vector<ProtocolObserver*> protocol_observers() const;
    struct NamedVerbs {
        std::string plugin;
        AdminVerbs* verbs;                                                      // run() is made on the plugin's lane
        std::function<Pending<VerbResult>(std::vector<std::string>)> run_here;  // on the caller's thread
    };
    std::vector<NamedVerbs> verbs() const;
    struct Loaded {
        std::string name, version, file;
        std::vector<std::string> roles;
    };
    std::vector<Loaded> loaded() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace postern::plugins
