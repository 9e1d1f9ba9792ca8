// One plugin file in use: its object, its lane, its Host and Registrar in one.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <plugins/loader.hpp>
#include <plugins/plugin_set.hpp>
#include <plugins/proxies.hpp>
#include <plugins/timers.hpp>

namespace postern::plugins {

// One plugin: its object, its lane, its Host and Registrar in one.
class Instance : public Host, public Registrar {
public:
    using Lookup = std::function<void*(std::string_view, std::string_view)>;
    Instance(LoadedFile loaded, const HostParts& parts, Timers& timers, Lookup lookup)
        : file(std::move(loaded)),
          lane(file.name, parts.lane_queue, parts.lane_deadline),
          parts_(parts),
          timers_(timers),
          lookup_(std::move(lookup)) {}

    // With the set, at the end of the process. A plugin whose call never came back is left as it is: code of it runs.
    ~Instance() override {
        if (came_back) delete file.plugin;
    }
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    // ---- Host
    void log(Severity severity, std::string_view id, std::string_view text) override {
        parts_.log->write(severity, id, file.name + ": " + std::string(text));
    }
    void alarm(std::string_view id, std::string_view subject, std::string_view text) override {
        if (!parts_.alarms) return;
        text.empty() ? parts_.alarms->end(id, subject) : parts_.alarms->raise(id, subject, text);
    }
    void count(std::string_view counter, std::string_view labels, double add) override {
        parts_.counters->add(counter, labels, add);
    }
    void gauge(std::string_view name, std::string_view labels, double value) override {
        parts_.counters->set(name, labels, value);
    }
    std::vector<CounterSample> counters() const override { return parts_.counters->samples(); }
    Time now() const override { return std::chrono::system_clock::now(); }
    void after(Milliseconds delay, std::function<void()> call) override {
        timers_.after(delay, [alive = alive_, call = std::move(call)] {
            if (*alive) call();
        });
    }
    void offload(std::function<void()> call) override { after(Milliseconds(0), std::move(call)); }
    std::string state_folder() const override;
    const SettingsNode& settings() const override { return block; }
    std::vector<std::string> own_domains() const override {
        return parts_.own_domains ? parts_.own_domains() : std::vector<std::string>();
    }
    void* role(std::string_view role_id, std::string_view name) override { return lookup_(role_id, name); }
    std::vector<TrustScopeFiles> trust_scopes() const override {
        return parts_.trust_scopes ? parts_.trust_scopes() : std::vector<TrustScopeFiles>();
    }

    ConfigurationView configuration() const override {
        return parts_.configuration ? parts_.configuration() : ConfigurationView();
    }
    Outcome<VerbResult> ask_daemon(const std::vector<std::string>& words) override {
        return parts_.ask_daemon ? parts_.ask_daemon(words) : Host::ask_daemon(words);
    }

    // ---- Registrar
    Host& host() override { return *this; }
    void provide(std::string_view role_id, std::string_view name, void* provider, Runs) override;

    LoadedFile file;
    Lane lane;
    SettingsNode block;
    std::atomic<bool> started{false};  // shown by other threads
    bool applied = false, came_back = true;
    // Held by the generations that may still ask it; when only we hold it, a retired plugin's lane ends.
    std::shared_ptr<void> in_use = std::make_shared<int>();
    // A newer file of a plugin that is in use: takes its place when the configuration is taken.
    std::atomic<bool> newer{false};
    std::atomic<bool> ended{false};

    // Its timers end, and retire() is called on its lane, behind what was asked before. Its lane goes on.
    void retire();
    // The lane ends too: nobody may ask any more.
    void end();
    struct Provided {
        std::string role, name;
        void* proxy;
        std::shared_ptr<void> owner;
    };
    std::vector<Provided> provided;

private:
    void call_retire();
    template <class Proxy, class Role, class... More>
    void keep(std::string_view name, void* provider, More&&... more) {
        auto proxy = std::make_shared<Proxy>(*static_cast<Role*>(provider), std::forward<More>(more)...);
        auto* role = static_cast<Role*>(proxy.get());
        provided.push_back({std::string(Role::id), std::string(name), role, std::move(proxy)});
    }

    std::atomic<bool> retire_called_{false};
    const std::shared_ptr<std::atomic<bool>> alive_ = std::make_shared<std::atomic<bool>>(true);
    const HostParts& parts_;
    Timers& timers_;
    Lookup lookup_;
};

}  // namespace postern::plugins
