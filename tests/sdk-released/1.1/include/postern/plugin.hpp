// The SDK's front door: a plugin is a shared object with one exported symbol and an ELF note (abi.hpp).
//
//   class Greeter : public postern::Plugin { ... void start(Registrar& r) override { r.provide<Decider>(decider_); } };
//   POSTERN_PLUGIN("greeter", "1.0");
//   POSTERN_ENTRY(Greeter)
//
// Life: entry() makes the object; keys() and check() may be called any number of times; start() once: register what you
// bring, and do nothing that another process would notice (`config check` and the command line start plugins too);
// apply() once the configuration is taken, at the daemon's start and after each reload: now listen, refresh, write;
// retire() before the end: stop timers, threads and writing, give up ports and files, and return. It is called on the
// plugin's lane, behind what was asked before. A newer file of a plugin, renamed over the old one, is taken up at a
// reload: its start(), then the old one's retire(), then its apply(). Transactions that began under the old generation
// still ask the retired one's deciders, engine and judge until they end. The code is never unloaded. Every call is
// guarded by the host: what throws fails closed. Next: decider.hpp, trust.hpp, tls.hpp, fetch.hpp, delivery.hpp,
// host.hpp.
#pragma once

#include <postern/abi.hpp>
#include <postern/host.hpp>

namespace postern {

class Plugin {
public:
    virtual ~Plugin() = default;
    virtual std::vector<KeySpec> keys() const { return {}; }
    // Beyond what keys() can say. Pure: no files written, no network.
    virtual std::vector<SettingsProblem> check(const SettingsNode&) const { return {}; }
    virtual void start(Registrar&) = 0;
    virtual void apply(const SettingsNode&) {}
    virtual void retire() {}
};

using PluginEntry = Plugin* (*)();

}  // namespace postern

#define POSTERN_ENTRY(Class) \
    extern "C" __attribute__((visibility("default"))) ::postern::Plugin* postern_plugin_entry() { return new Class; }
