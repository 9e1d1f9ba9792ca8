#include <queue/task_threads.hpp>

namespace postern::queue {

TaskThreads::TaskThreads(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

TaskThreads::~TaskThreads() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    news_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void TaskThreads::run(std::function<void()> task) {
    {
        std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    news_.notify_all();
}

void TaskThreads::wait_until_idle() {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [this] { return tasks_.empty() && running_ == 0; });
}

void TaskThreads::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        news_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        auto task = std::move(tasks_.front());
        tasks_.pop_front();
        ++running_;
        lock.unlock();
        task();
        task = {};
        lock.lock();
        --running_;
        news_.notify_all();
    }
}

}  // namespace postern::queue
