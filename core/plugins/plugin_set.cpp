#include <algorithm>
#include <atomic>
#include <config/keys.hpp>
#include <filesystem>
#include <plugins/instance.hpp>
#include <plugins/plugin_set.hpp>
#include <shared_mutex>

namespace postern::plugins {

struct PluginSet::State {
    HostParts parts;
    Timers timers;
    // Workers look up while a reload adds and takes out: a few look-ups a transaction, never contended between reloads.
    mutable std::shared_mutex mutex;
    std::vector<std::unique_ptr<Instance>> instances;
    std::vector<std::unique_ptr<Instance>> retired;  // kept: a session may still hold their providers
    std::atomic<std::uint64_t> listened_to{0};       // events of all observers, see event_bit()

    // With the mutex held, whenever `instances` or what they provide changed.
    void count_listeners() {
        std::uint64_t bits = 0;
        for (const auto& one : instances)
            for (const auto& provided : one->provided)
                if (!one->newer && provided.role == Observer::id)
                    bits |= static_cast<LanedObserver*>(static_cast<Observer*>(provided.proxy))->told_of;
        listened_to = bits;
    }

    // The newest of that name: a file that was taken up and waits for its configuration before the one in use.
    Instance* find(std::string_view name) const {
        std::shared_lock lock(mutex);
        const auto found =
            std::find_if(instances.rbegin(), instances.rend(), [&](const auto& one) { return one->file.name == name; });
        return found == instances.rend() ? nullptr : found->get();
    }
    // Takes those out that `gone` names, first from the look-up, then from work. What they were asked is answered
    // still, and so is what running transactions ask: see sweep().
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
        for (auto* one : leaving) one->retire();
    }
    // Of several that fill one role the configuration's first one answers, whenever it was loaded.
    void order_as(const std::vector<config::PluginEntry>& wanted) {
        const auto place = [&](const std::unique_ptr<Instance>& one) {
            return std::ranges::find(wanted, one->file.name, &config::PluginEntry::name) - wanted.begin();
        };
        std::unique_lock lock(mutex);
        std::ranges::stable_sort(instances, {}, place);
    }
    // The newer file takes the place of the one in use, which retires first: both may want the same port or file.
    void replace(Instance& newer) {
        if (!newer.newer.exchange(false)) return;
        if (parts.alarms) parts.alarms->end("plugin-overwritten", newer.file.name);
        parts.log->info("plugin-replaced", newer.file.path + " " + newer.file.version + " serves from now on");
        take_out([&](const Instance& one) { return &one != &newer && one.file.name == newer.file.name; });
    }
    void* provider(std::string_view role, std::string_view name) const {
        std::shared_lock lock(mutex);
        for (const auto& one : instances)
            for (const auto& provided : one->provided)
                if (!one->newer && provided.role == role && (name.empty() || provided.name == name))
                    return provided.proxy;
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
    const auto refuse = [&](const config::PluginEntry& entry, std::string why) {
        problems.push_back({entry.settings.file, entry.settings.line, "plugins." + entry.name, std::move(why), false});
    };
    for (const auto& entry : wanted) {
        const auto path = folder + "/" + entry.name + ".so";
        auto* known = state_->find(entry.name);
        if (known) {
            const auto change = change_of(known->file, path);
            if (change == FileChange::none) continue;
            if (change == FileChange::in_place) {
                const auto why = path +
                                 " was overwritten in place while its code runs: the daemon may crash at any moment. "
                                 "Restart it, and install a new file beside the old one and rename it over";
                if (state_->parts.alarms) state_->parts.alarms->raise("plugin-overwritten", entry.name, why);
                refuse(entry, why);
                continue;
            }
        }
        auto loaded = load_file(path, entry.name);
        if (!loaded) {
            const bool missing = !std::filesystem::exists(path);
            refuse(entry, loaded.error().text + (missing ? config::nearest(entry.name, files_in(folder)) : ""));
            continue;
        }
        auto* state = state_.get();
        auto instance = std::make_unique<Instance>(
            std::move(*loaded), state->parts, state->timers,
            [state](std::string_view role, std::string_view name) { return state->provider(role, name); });
        instance->block = entry.settings;
        instance->newer = known != nullptr;
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
        if (!instance || instance->started.exchange(true)) continue;
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
        state_->replace(*instance);
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
    state_->order_as(wanted);
    sweep();
}

void PluginSet::sweep() {
    std::vector<Instance*> idle;
    {
        std::shared_lock lock(state_->mutex);
        for (const auto& one : state_->retired)
            if (!one->ended && one->in_use.use_count() == 1) idle.push_back(one.get());
    }
    for (auto* one : idle) one->end();
}

void PluginSet::withdraw() {
    state_->take_out([](const Instance& one) { return !one.applied; });
}

void PluginSet::retire() {
    state_->timers.stop();
    state_->take_out([](const Instance&) { return true; });
    for (const auto& one : state_->retired)
        if (!one->ended) one->end();
}

HeldMatcher* PluginSet::names() const {
    return static_cast<HeldMatcher*>(state_->get<NameMatcher>());  // a GuardedMatcher always
}
RevocationChecker* PluginSet::revocation() const { return state_->get<RevocationChecker>(); }
Fetcher* PluginSet::fetcher(std::string_view scheme) const { return state_->get<Fetcher>(scheme); }
ProxyResolver* PluginSet::proxy() const { return state_->get<ProxyResolver>(); }
Delivery* PluginSet::delivery(std::string_view name) const { return state_->get<Delivery>(name); }

bool PluginSet::observed(Event event) const {
    return state_->listened_to.load(std::memory_order_relaxed) & event_bit(event);
}

std::span<const Providers::NamedDecider> Providers::deciders(Event event) const {
    const auto number = static_cast<std::size_t>(event);
    if (number >= deciders_.size()) return {};
    return deciders_[number];
}

std::shared_ptr<const Providers> PluginSet::providers(const std::vector<config::PluginEntry>& wanted) const {
    auto all = std::make_shared<Providers>();
    all->deciders_.resize(64);
    const Instance* judging = nullptr;
    for (const auto& entry : wanted) {
        const auto* instance = state_->find(entry.name);
        if (!instance) continue;
        all->in_use_.push_back(instance->in_use);
        OwnCertificates* own = nullptr;
        TlsResumption* resumption = nullptr;
        bool engine = false;
        for (const auto& provided : instance->provided) {
            if (provided.role == TlsEngine::id && !all->tls) {
                all->tls = static_cast<TlsEngine*>(provided.proxy);
                engine = true;
            }
            if (provided.role == OwnCertificates::id) own = static_cast<OwnCertificates*>(provided.proxy);
            if (provided.role == TlsResumption::id) resumption = static_cast<TlsResumption*>(provided.proxy);
            if (provided.role == ChainJudge::id && !all->judge) {
                all->judge = static_cast<ChainJudge*>(provided.proxy);
                judging = instance;
            }
            // Trust scopes are objects of their judge: both are one plugin's, or the second stays unused.
            if (provided.role == LearningJudge::id && instance == judging)
                all->learning_judge = static_cast<LearningJudge*>(provided.proxy);
            if (provided.role != Decider::id) continue;
            auto* decider = static_cast<GuardedDecider*>(static_cast<Decider*>(provided.proxy));
            for (std::size_t number = 0; number < all->deciders_.size(); ++number)
                if (decider->asked_at & event_bit(static_cast<Event>(number)))
                    all->deciders_[number].push_back({provided.name, decider});
        }
        if (!engine) continue;
        all->own_certificates = own;
        all->resumption = resumption;
    }
    return all;
}

std::vector<Observer*> PluginSet::observers(Event event) const {
    std::vector<Observer*> all;
    if (!observed(event)) return all;
    std::shared_lock lock(state_->mutex);
    for (const auto& one : state_->instances)
        for (const auto& provided : one->provided) {
            if (one->newer || provided.role != Observer::id) continue;
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
            if (!one->newer && provided.role == ProtocolObserver::id)
                all.push_back(static_cast<ProtocolObserver*>(provided.proxy));
    return all;
}

std::vector<PluginSet::NamedVerbs> PluginSet::verbs() const {
    std::vector<NamedVerbs> all;
    std::shared_lock lock(state_->mutex);
    for (const auto& one : state_->instances)
        for (const auto& provided : one->provided) {
            if (one->newer || provided.role != AdminVerbs::id) continue;
            auto* verbs = static_cast<AdminVerbs*>(provided.proxy);
            all.push_back({one->file.name, verbs, [verbs](std::vector<std::string> words) {
                               return static_cast<LanedVerbs*>(verbs)->run_here(std::move(words));
                           }});
        }
    return all;
}

static PluginSet::Loaded report(const Instance& instance, std::string state) {
    const auto& file = instance.file;
    PluginSet::Loaded loaded{file.name,        file.version,
                             file.path,        std::to_string(file.sdk_major) + "." + std::to_string(file.sdk_minor),
                             std::move(state), {}};
    for (const auto& provided : instance.provided) loaded.roles.push_back(provided.role);
    return loaded;
}

std::vector<PluginSet::Loaded> PluginSet::loaded(bool with_retired) const {
    std::vector<Loaded> all;
    std::shared_lock lock(state_->mutex);
    for (const auto& one : state_->instances)
        if (!one->newer) all.push_back(report(*one, one->started ? "in use" : "failed at its start"));
    if (!with_retired) return all;
    for (const auto& one : state_->retired)
        if (!one->ended) all.push_back(report(*one, "retired, answers what began with it"));
    return all;
}

std::vector<KeySpec> PluginSet::keys(const std::string& name) const {
    const auto* instance = state_->find(name);
    try {
        return instance ? instance->file.plugin->keys() : std::vector<KeySpec>();
    } catch (...) {
        return {};
    }
}

}  // namespace postern::plugins
