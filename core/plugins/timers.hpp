// Delayed calls for plugins: one thread, in order of their time. A call that throws is dropped.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace postern::plugins {

class Timers {
public:
    Timers() : thread_([this] { run(); }) {}
    ~Timers() { stop(); }

    void after(std::chrono::milliseconds delay, std::function<void()> call) {
        std::lock_guard lock(mutex_);
        if (stopped_ || calls_.size() >= most) return;
        calls_.emplace(std::chrono::steady_clock::now() + delay, std::move(call));
        changed_.notify_one();
    }

    void stop() {
        {
            std::lock_guard lock(mutex_);
            stopped_ = true;
            calls_.clear();
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

private:
    static constexpr std::size_t most = 10000;

    void run() {
        std::unique_lock lock(mutex_);
        while (!stopped_) {
            if (calls_.empty()) {
                changed_.wait(lock);
                continue;
            }
            const auto due = calls_.begin()->first;
            if (due > std::chrono::steady_clock::now()) {
                changed_.wait_until(lock, due);
                continue;
            }
            auto call = std::move(calls_.begin()->second);
            calls_.erase(calls_.begin());
            lock.unlock();
            try {
                call();
            } catch (...) {}
            call = nullptr;
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> calls_;
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace postern::plugins
