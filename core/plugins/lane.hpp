// A plugin's own thread with a bounded queue: what may block waits there and delays nobody else. A call that takes
// longer than the deadline stalls the lane: until it comes back, new questions are refused at once instead of queueing
// behind it, and whoever asked has long been answered 451 (net/await.hpp owns that deadline).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace postern::plugins {

class Lane {
public:
    Lane(std::string plugin, std::size_t bound, std::chrono::milliseconds deadline);
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;
    ~Lane() { stop(); }

    // Empty: taken. Otherwise why not: full, stalled or stopped, with the plugin's name.
    std::string post(std::function<void()> task);

    // What waits is dropped (its answers fail). What runs is waited for, at most `patience`; false where it did not
    // come back: its thread is left to itself, since code cannot be ended from outside.
    bool stop(std::chrono::milliseconds patience = std::chrono::seconds(2));

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the thread, which may outlive the lane
};

}  // namespace postern::plugins
