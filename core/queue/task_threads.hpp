// Threads for what blocks on a disk: syncs of files that have one for themselves. Tasks start in the order in which
// they came; the destructor waits for all of them. Any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace postern::queue {

class TaskThreads {
public:
    explicit TaskThreads(std::size_t threads = 1);
    ~TaskThreads();
    void run(std::function<void()> task);
    void wait_until_idle();

private:
    void work();

    std::mutex mutex_;
    std::condition_variable news_;
    std::deque<std::function<void()>> tasks_;
    std::size_t running_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace postern::queue
