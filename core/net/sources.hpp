// Who counts as one source of connections and mail, and how many messages each gave within the minute under way. Knows
// no sessions. Any thread.
#pragma once

#include <map>
#include <mutex>
#include <net/asio.hpp>
#include <string>

namespace postern::net {

// The address; of IPv6 its /64, which neighbours share and one host may fill.
std::string source_of(const asio::ip::address& address);

class SourceRates {
public:
    // Counts one more message of that source; false where it had `most` within the minute already.
    bool take(const std::string& source, std::size_t most, Deadline now);
    std::size_t size() const;

private:
    struct Minute {
        Deadline began;
        std::size_t messages = 0;
    };
    void make_room(Deadline now);
    mutable std::mutex mutex_;
    std::map<std::string, Minute> minutes_;
};

}  // namespace postern::net
