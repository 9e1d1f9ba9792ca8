#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <plugins/lane.hpp>
#include <thread>

namespace postern::plugins {

using Clock = std::chrono::steady_clock;

struct Lane::State {
    std::string plugin;
    std::size_t bound;
    std::chrono::milliseconds deadline;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;
    std::optional<Clock::time_point> running_since;
    bool stopped = false, ended = false;

    void run() {
        std::unique_lock lock(mutex);
        for (;;) {
            changed.wait(lock, [this] { return stopped || !tasks.empty(); });
            if (stopped) break;
            auto task = std::move(tasks.front());
            tasks.pop_front();
            running_since = Clock::now();
            lock.unlock();
            task();
            task = nullptr;  // what it captured ends here, not under the lock
            lock.lock();
            running_since.reset();
        }
        ended = true;
        changed.notify_all();
    }
};

Lane::Lane(std::string plugin, std::size_t bound, std::chrono::milliseconds deadline)
    : state_(std::make_shared<State>()) {
    state_->plugin = std::move(plugin);
    state_->bound = bound;
    state_->deadline = deadline;
    std::thread([state = state_] { state->run(); }).detach();
}

std::string Lane::post(std::function<void()> task) {
    std::lock_guard lock(state_->mutex);
    if (state_->stopped) return "the plugin " + state_->plugin + " is retired";
    if (state_->running_since && Clock::now() - *state_->running_since > state_->deadline) {
        const auto since = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - *state_->running_since);
        return "the lane of the plugin " + state_->plugin + " is stalled: a call did not come back for " +
               std::to_string(since.count()) + " s";
    }
    if (state_->tasks.size() >= state_->bound) return "the lane of the plugin " + state_->plugin + " is full";
    state_->tasks.push_back(std::move(task));
    state_->changed.notify_all();
    return {};
}

bool Lane::stop(std::chrono::milliseconds patience) {
    std::deque<std::function<void()>> dropped;  // their answers fail outside the lock
    std::unique_lock lock(state_->mutex);
    state_->stopped = true;
    dropped.swap(state_->tasks);
    state_->changed.notify_all();
    lock.unlock();
    dropped.clear();
    lock.lock();
    return state_->changed.wait_for(lock, patience, [this] { return state_->ended; });
}

}  // namespace postern::plugins
