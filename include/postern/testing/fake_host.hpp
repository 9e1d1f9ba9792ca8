// For plugin tests, yours and ours: a Host that records logs and alarms, lets the test set the clock and run timers by
// hand, offloads to one thread of its own, and offers the roles that the test registers.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <postern/host.hpp>
#include <thread>

namespace postern::test {

// A folder of its own, gone with the object.
class TemporaryFolder {
public:
    TemporaryFolder() {
        auto name = (std::filesystem::temp_directory_path() / "postern-test.XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string path(const std::string& name = {}) const { return name.empty() ? path_ : path_ + "/" + name; }

private:
    std::string path_;
};

class FakeHost final : public Host {
public:
    FakeHost() : pool_([this] { run_pool(); }) {}
    ~FakeHost() override { stop(); }
    void stop() {
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (pool_.joinable()) pool_.join();
    }

    void log(Severity, std::string_view id, std::string_view text) override {
        std::lock_guard lock(mutex_);
        logged.push_back(std::string(id) + ": " + std::string(text));
    }
    void alarm(std::string_view id, std::string_view subject, std::string_view text) override {
        std::lock_guard lock(mutex_);
        const auto key = std::string(id) + " " + std::string(subject);
        if (text.empty()) alarms.erase(key);
        else alarms[key] = std::string(text);
    }
    void count(std::string_view counter, std::string_view labels, double add) override {
        std::lock_guard lock(mutex_);
        counted[std::string(counter) + "{" + std::string(labels) + "}"] += add;
    }
    void gauge(std::string_view name, std::string_view labels, double value) override {
        std::lock_guard lock(mutex_);
        counted[std::string(name) + "{" + std::string(labels) + "}"] = value;
    }
    std::vector<CounterSample> counters() const override { return samples; }
    Time now() const override {
        std::lock_guard lock(mutex_);
        return clock;
    }
    void set_clock(Time time) {
        std::lock_guard lock(mutex_);
        clock = time;
    }
    void after(Milliseconds delay, std::function<void()> work) override {
        std::lock_guard lock(mutex_);
        timers.emplace_back(delay, std::move(work));
    }
    // Runs every timer that was set up to now; answers how many there were.
    std::size_t run_timers() {
        std::vector<std::pair<Milliseconds, std::function<void()>>> due;
        {
            std::lock_guard lock(mutex_);
            due.swap(timers);
        }
        for (auto& [delay, work] : due) work();
        return due.size();
    }
    void offload(std::function<void()> work) override {
        {
            std::lock_guard lock(mutex_);
            work_.push_back(std::move(work));
        }
        changed_.notify_all();
    }
    std::string state_folder() const override { return state; }
    const SettingsNode& settings() const override { return settings_node; }
    std::vector<std::string> own_domains() const override { return domains; }
    std::vector<TrustScopeFiles> trust_scopes() const override { return trust; }
    void* role(std::string_view role_id, std::string_view name) override {
        std::lock_guard lock(mutex_);
        const auto found = roles_.find(std::string(role_id) + "/" + std::string(name));
        return found == roles_.end() ? nullptr : found->second;
    }
    ConfigurationView configuration() const override { return configured; }
    Outcome<VerbResult> ask_daemon(const std::vector<std::string>& words) override {
        std::lock_guard lock(mutex_);
        asked_of_daemon.push_back(words);
        return Failure{"no-daemon", "no daemon runs"};
    }
    using Host::role;
    template <class Role>
    void offer(Role& provider, const std::string& name = {}) {
        std::lock_guard lock(mutex_);
        roles_[std::string(Role::id) + "/" + name] = static_cast<void*>(&provider);
    }

    std::string state;
    SettingsNode settings_node;
    std::vector<std::string> domains;
    std::vector<TrustScopeFiles> trust;
    ConfigurationView configured;
    std::vector<std::vector<std::string>> asked_of_daemon;
    std::vector<std::string> logged;
    std::map<std::string, std::string> alarms;
    std::map<std::string, double> counted;
    std::vector<CounterSample> samples;  // what counters() answers
    std::vector<std::pair<Milliseconds, std::function<void()>>> timers;
    Time clock = std::chrono::system_clock::now();

private:
    void run_pool() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return stopping_ || !work_.empty(); });
            if (stopping_) return;
            auto work = std::move(work_.front());
            work_.pop_front();
            lock.unlock();
            work();
            work = nullptr;
            lock.lock();
        }
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> work_;
    std::map<std::string, void*> roles_;
    bool stopping_ = false;
    std::thread pool_;
};

// Waits for the answer, at most 20 s; a test that would hang fails instead.
template <class T>
Outcome<T> wait_for(Pending<T> pending) {
    struct Signal {
        std::mutex mutex;
        std::condition_variable changed;
        bool ready = false;
    };
    const auto signal = std::make_shared<Signal>();
    pending.on_ready([signal] {
        std::lock_guard lock(signal->mutex);
        signal->ready = true;
        signal->changed.notify_all();
    });
    std::unique_lock lock(signal->mutex);
    if (!signal->changed.wait_for(lock, std::chrono::seconds(20), [&] { return signal->ready; }))
        return Failure{"test", "no answer within 20 s"};
    lock.unlock();
    return pending.take();
}

}  // namespace postern::test
