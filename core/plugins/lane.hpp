// A plugin's own thread with a bounded queue: what may block waits there and delays nobody else.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace postern::plugins {

class Lane {
public:
    explicit Lane(std::size_t bound) : bound_(bound), thread_([this] { run(); }) {}
    ~Lane() { stop(); }

    // False: full or stopped; the task was not taken.
    bool post(std::function<void()> task) {
        std::lock_guard lock(mutex_);
        if (stopped_ || tasks_.size() >= bound_) return false;
        tasks_.push_back(std::move(task));
        ready_.notify_one();
        return true;
    }

    // What waits is dropped (its answers fail); what runs is waited for.
    void stop() {
        {
            std::lock_guard lock(mutex_);
            stopped_ = true;
            tasks_.clear();
        }
        ready_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

private:
    void run() {
        for (;;) {
            std::function<void()> task;
            {
                std::unique_lock lock(mutex_);
                ready_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
                if (stopped_) return;
                task = std::move(tasks_.front());
                tasks_.pop_front();
            }
            task();
        }
    }

    const std::size_t bound_;
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::function<void()>> tasks_;
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace postern::plugins
