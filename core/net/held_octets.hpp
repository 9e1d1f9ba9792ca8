// What all sessions together hold in memory while they wait for more: beginnings of lines, header sections, recipients.
// One session may hold little against its own limits, thousands may not: beyond a bound for all, whoever holds more
// than a fair share gives way. Knows no sessions. Any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace postern::net {

class HeldOctets {
public:
    explicit HeldOctets(std::size_t most) : most_(most) {}
    HeldOctets(const HeldOctets&) = delete;
    HeldOctets& operator=(const HeldOctets&) = delete;

    // One session's part; gives all back when it ends.
    class Part {
    public:
        explicit Part(HeldOctets& all) : all_(all) { all_.parts_.fetch_add(1, std::memory_order_relaxed); }
        ~Part() {
            hold(0);
            all_.parts_.fetch_sub(1, std::memory_order_relaxed);
        }
        Part(const Part&) = delete;
        Part& operator=(const Part&) = delete;
        // From now on this session holds so much; false: it must give way.
        bool hold(std::size_t octets) {
            if (octets != mine_) all_.octets_.fetch_add(octets - mine_, std::memory_order_relaxed);
            mine_ = octets;
            if (mine_ == 0 || all_.octets_.load(std::memory_order_relaxed) <= all_.most_) return true;
            return mine_ <= all_.most_ / std::max<std::size_t>(all_.parts_.load(std::memory_order_relaxed), 1);
        }

    private:
        HeldOctets& all_;
        std::size_t mine_ = 0;
    };

    std::size_t octets() const { return octets_.load(std::memory_order_relaxed); }

private:
    const std::size_t most_;
    std::atomic<std::size_t> octets_{0}, parts_{0};  // a difference below zero wraps, and so does its sum
};

}  // namespace postern::net
