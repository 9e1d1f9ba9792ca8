// Waiting with an end: for a descriptor, until a deadline, or until the plugin stops. Knows nothing of what is awaited.
#pragma once

#include <atomic>
#include <chrono>

namespace postern::crl {

// An eventfd: raised once, seen by every thread that waits.
class Signal {
public:
    Signal();
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;
    void raise() const;
    int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

enum class Waited { ready, too_late, stopped };

struct Limits {
    std::chrono::steady_clock::time_point deadline;
    const Signal* stop = nullptr;

    // `events` as of poll(2).
    Waited wait(int descriptor, short events) const;
    Limits at_most(std::chrono::milliseconds time) const;
    std::chrono::milliseconds left() const;
};

}  // namespace postern::crl
