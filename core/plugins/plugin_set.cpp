#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <config/keys.hpp>
#include <filesystem>
#include <map>
#include <plugins/loader.hpp>
#include <plugins/plugin_set.hpp>
#include <plugins/proxies.hpp>
#include <plugins/timers.hpp>
#include <shared_mutex>

namespace postern::plugins {

namespace {

// Made with its mode from the first moment. What root's command line makes belongs to whom the parent belongs to: the
// daemon must be able to write there.
void make_state_folder(const std::string& parent, const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(parent, error);
    if (::mkdir(folder.c_str(), 0700) != 0) {
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
        return;
    }
    struct stat about {};
    if (::geteuid() == 0 && ::stat(parent.c_str(), &about) == 0)
        (void)!::lchown(folder.c_str(), about.st_uid, about.st_gid);
}

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
    std::string state_folder() const override {
        if (parts_.state_folder.empty()) return {};
        const auto folder = parts_.state_folder + "/" + file.name;
        make_state_folder(parts_.state_folder, folder);
        return folder;
    }
    const SettingsNode& settings() const override { return block; }
    std::vector<std::string> own_domains() const override {
        return parts_.own_domains ? parts_.own_domains() : std::vector<std::string>();
    }
    void* role(std::string_view role_id, std::string_view name) override { return lookup_(role_id, name); }

    // ---- Registrar
    Host& host() override { return *this; }
    void provide(std::string_view role_id, std::string_view name, void* provider, Runs) override;

    LoadedFile file;
    Lane lane;
    SettingsNode block;
    bool started = false, applied = false, came_back = true;
    void drop_timers() { *alive_ = false; }
    struct Provided {
        std::string role, name;
        void* proxy;
        std::shared_ptr<void> owner;
    };
    std::vector<Provided> provided;

private:
    template <class Proxy, class Role, class... More>
    void keep(std::string_view name, void* provider, More&&... more) {
        auto proxy = std::make_shared<Proxy>(*static_cast<Role*>(provider), std::forward<More>(more)...);
        auto* role = static_cast<Role*>(proxy.get());
        provided.push_back({std::string(Role::id), std::string(name), role, std::move(proxy)});
    }

    const std::shared_ptr<std::atomic<bool>> alive_ = std::make_shared<std::atomic<bool>>(true);
    const HostParts& parts_;
    Timers& timers_;
    Lookup lookup_;
};

void Instance::provide(std::string_view role_id, std::string_view name, void* provider, Runs runs) {
    const auto own = name.empty() ? std::string_view(file.name) : name;
    auto& log = *parts_.log;
    if (role_id == TlsEngine::id) return keep<GuardedEngine, TlsEngine>(name, provider, log, file.name);
    if (role_id == ProxyResolver::id) return keep<GuardedProxyResolver, ProxyResolver>(name, provider, log, file.name);
    if (role_id == NameMatcher::id) return keep<GuardedMatcher, NameMatcher>(name, provider, log, file.name);
    if (role_id == ChainJudge::id) return keep<LanedJudge, ChainJudge>(name, provider, lane, file.name);
    if (role_id == RevocationChecker::id)
        return keep<LanedRevocation, RevocationChecker>(name, provider, lane, file.name);
    if (role_id == Fetcher::id) return keep<LanedFetcher, Fetcher>(name, provider, lane, file.name);
    if (role_id == Delivery::id) return keep<LanedDelivery, Delivery>(own, provider, lane, file.name);
    if (role_id == Decider::id) return keep<GuardedDecider, Decider>(own, provider, lane, runs, log, file.name);
    if (role_id == ProtocolObserver::id)
        return keep<LanedProtocolObserver, ProtocolObserver>(own, provider, lane, *parts_.counters);
    if (role_id == Observer::id) return keep<LanedObserver, Observer>(own, provider, lane, *parts_.counters);
    if (role_id == AdminVerbs::id) return keep<LanedVerbs, AdminVerbs>(own, provider, lane, log, file.name);
    parts_.log->error("plugin-refused",
                      file.name + " offers a role that this host does not know: " + std::string(role_id));
}

}  // namespace

struct PluginSet::State {
    HostParts parts;
    Timers timers;
    // Workers look up while a reload adds and takes out: a few look-ups a transaction, never contended between reloads.
    mutable std::shared_mutex mutex;
    std::vector<std::unique_ptr<Instance>> instances;
    std::vector<std::unique_ptr<Instance>> retired;  // kept: a session may still hold their providers
    std::atomic<std::uint64_t> listened_to{0};       // events of all deciders and observers, see event_bit()

    // With the mutex held, whenever `instances` or what they provide changed.
    void count_listeners() {
        std::uint64_t bits = 0;
        for (const auto& one : instances)
            for (const auto& provided : one->provided) {
                if (provided.role == Decider::id)
                    bits |= static_cast<GuardedDecider*>(static_cast<Decider*>(provided.proxy))->asked_at;
                if (provided.role == Observer::id)
                    bits |= static_cast<LanedObserver*>(static_cast<Observer*>(provided.proxy))->told_of;
            }
        listened_to = bits;
    }

    Instance* find(std::string_view name) const {
        std::shared_lock lock(mutex);
        for (const auto& one : instances)
            if (one->file.name == name) return one.get();
        return nullptr;
    }
    void retire(Instance& instance) {
        instance.drop_timers();
        instance.came_back = instance.lane.stop();
        if (!instance.came_back)
            parts.log->error("plugin-failed", instance.file.name + " did not come back from a call; it is left behind");
        if (!std::exchange(instance.started, false)) return;
        try {
            instance.file.plugin->retire();
        } catch (...) {
            parts.log->error("plugin-failed", instance.file.name + " threw at its end");
        }
    }
    // Takes those out that `gone` names, first from the look-up, then from work.
    template <class Gone>
    void take_out(Gone gone) {
        std::vector<Instance*> leaving;
        {
            std::unique_lock lock(mutex);
            for (auto& one : instances) {
                if (!gone(*one)) continue;
                leaving.push_back(one.get());
                retired.push_back(std::move(one));
            }
            std::erase(instances, nullptr);
            count_listeners();
        }
        for (auto* one : leaving) retire(*one);
    }
    void* provider(std::string_view role, std::string_view name) const {
        std::shared_lock lock(mutex);
        for (const auto& one : instances)
            for (const auto& provided : one->provided)
                if (provided.role == role && (name.empty() || provided.name == name)) return provided.proxy;
        return nullptr;
    }
    template <class Role>
    Role* get(std::string_view name = {}) const {
        return static_cast<Role*>(provider(Role::id, name));
    }
};

static std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& one : std::filesystem::directory_iterator(folder, error))
        if (one.path().extension() == ".so") names.push_back(one.path().stem().string());
    return names;
}

PluginSet::PluginSet(HostParts parts) : state_(std::make_unique<State>()) { state_->parts = std::move(parts); }
PluginSet::~PluginSet() { retire(); }

std::vector<config::ConfigProblem> PluginSet::load(const std::string& folder,
                                                   const std::vector<config::PluginEntry>& wanted) {
    std::vector<config::ConfigProblem> problems;
    for (const auto& entry : wanted) {
        if (state_->find(entry.name)) continue;
        auto loaded = load_file(folder + "/" + entry.name + ".so", entry.name);
        if (!loaded) {
            const bool missing = !std::filesystem::exists(folder + "/" + entry.name + ".so");
            problems.push_back({entry.settings.file, entry.settings.line, "plugins." + entry.name,
                                loaded.error().text + (missing ? config::nearest(entry.name, files_in(folder)) : ""),
                                false});
            continue;
        }
        auto* state = state_.get();
        auto instance = std::make_unique<Instance>(
            std::move(*loaded), state->parts, state->timers,
            [state](std::string_view role, std::string_view name) { return state->provider(role, name); });
        instance->block = entry.settings;
        std::unique_lock lock(state_->mutex);
        state_->instances.push_back(std::move(instance));
    }
    return problems;
}

std::vector<config::ConfigProblem> PluginSet::check(const std::vector<config::PluginEntry>& wanted) const {
    std::vector<config::ConfigProblem> problems;
    for (const auto& entry : wanted) {
        const auto* instance = state_->find(entry.name);
        if (!instance) continue;
        try {
            auto found = config::check_plugin_settings(entry.name, entry.settings, instance->file.plugin->keys());
            problems.insert(problems.end(), found.begin(), found.end());
            for (auto& one : instance->file.plugin->check(entry.settings))
                problems.push_back({one.file, one.line, entry.name + "." + one.key, one.problem, false});
        } catch (...) {
            problems.push_back({entry.settings.file, entry.settings.line, "plugins." + entry.name,
                                "the plugin threw while its settings were checked", false});
        }
    }
    return problems;
}

void PluginSet::start(const std::vector<config::PluginEntry>& wanted) {
    for (const auto& entry : wanted) {
        auto* instance = state_->find(entry.name);
        if (!instance || std::exchange(instance->started, true)) continue;
        try {
            instance->file.plugin->start(*instance);
            std::unique_lock lock(state_->mutex);
            state_->count_listeners();
        } catch (...) {
            // It provides nothing from here on: what depends on it is refused.
            std::unique_lock lock(state_->mutex);
            instance->provided.clear();
            state_->parts.log->error("plugin-failed", instance->file.path + " threw at its start");
        }
    }
}

void PluginSet::apply(const std::vector<config::PluginEntry>& wanted) {
    for (const auto& entry : wanted) {
        auto* instance = state_->find(entry.name);
        if (!instance) continue;
        instance->block = entry.settings;
        try {
            instance->file.plugin->apply(entry.settings);
        } catch (...) {
            state_->parts.log->error("plugin-failed", instance->file.path + " threw while it took its settings up");
        }
        if (std::exchange(instance->applied, true)) continue;
        std::string roles;
        for (const auto& one : instance->provided) roles += " " + one.role;
        state_->parts.log->info("plugin-loaded", instance->file.path + " " + instance->file.version + roles);
    }
    state_->take_out([&](const Instance& one) {
        return std::ranges::none_of(wanted, [&](const auto& entry) { return entry.name == one.file.name; });
    });
}

void PluginSet::withdraw() {
    state_->take_out([](const Instance& one) { return !one.applied; });
}

void PluginSet::retire() {
    state_->timers.stop();
    state_->take_out([](const Instance&) { return true; });
}

TlsEngine* PluginSet::tls() const { return state_->get<TlsEngine>(); }
NameMatcher* PluginSet::names() const { return state_->get<NameMatcher>(); }
ChainJudge* PluginSet::judge() const { return state_->get<ChainJudge>(); }
RevocationChecker* PluginSet::revocation() const { return state_->get<RevocationChecker>(); }
Fetcher* PluginSet::fetcher(std::string_view scheme) const { return state_->get<Fetcher>(scheme); }
ProxyResolver* PluginSet::proxy() const { return state_->get<ProxyResolver>(); }
Delivery* PluginSet::delivery(std::string_view name) const { return state_->get<Delivery>(name); }

bool PluginSet::listened_to(Event event) const {
    return state_->listened_to.load(std::memory_order_relaxed) & event_bit(event);
}

std::vector<PluginSet::NamedDecider> PluginSet::deciders(Event event) const {
    std::vector<NamedDecider> all;
    if (!listened_to(event)) return all;
    std::shared_lock lock(state_->mutex);
    for (const auto& one : state_->instances)
        for (const auto& provided : one->provided) {
            if (provided.role != Decider::id) continue;
            auto* decider = static_cast<GuardedDecider*>(static_cast<Decider*>(provided.proxy));
            if (decider->asked_at & event_bit(event)) all.push_back({provided.name, decider});
        }
    return all;
}

std::vector<Observer*> PluginSet::observers(Event event) const {
    std::vector<Observer*> all;
    if (!listened_to(event)) return all;
    std::shared_lock lock(state_->mutex);
    for (const auto& one : state_->instances)
        for (const auto& provided : one->provided) {
            if (provided.role != Observer::id) continue;
            auto* observer = static_cast<LanedObserver*>(static_cast<Observer*>(provided.proxy));
            if (observer->told_of & event_bit(event)) all.push_back(observer);
        }
    return all;
}

std::vector<ProtocolObserver*> PluginSet::protocol_observers() const {
    std::vector<ProtocolObserver*> all;
    std::shared_lock lock(state_->mutex);
    for (const auto& one : state_->instances)
        for (const auto& provided : one->provided)
            if (provided.role == ProtocolObserver::id) all.push_back(static_cast<ProtocolObserver*>(provided.proxy));
    return all;
}

std::vector<PluginSet::NamedVerbs> PluginSet::verbs() const {
    std::vector<NamedVerbs> all;
    std::shared_lock lock(state_->mutex);
    for (const auto& one : state_->instances)
        for (const auto& provided : one->provided) {
            if (provided.role != AdminVerbs::id) continue;
            auto* verbs = static_cast<AdminVerbs*>(provided.proxy);
            all.push_back({one->file.name, verbs, [verbs](std::vector<std::string> words) {
                               return static_cast<LanedVerbs*>(verbs)->run_here(std::move(words));
                           }});
        }
    return all;
}

std::vector<PluginSet::Loaded> PluginSet::loaded() const {
    std::vector<Loaded> all;
    std::shared_lock lock(state_->mutex);
    for (const auto& one : state_->instances) {
        Loaded loaded{one->file.name, one->file.version, one->file.path, {}};
        for (const auto& provided : one->provided) loaded.roles.push_back(provided.role);
        all.push_back(std::move(loaded));
    }
    return all;
}

}  // namespace postern::plugins
