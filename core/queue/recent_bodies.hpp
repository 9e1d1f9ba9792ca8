// Bodies that came in a moment ago, in memory: most leave at once, and need not be read back from the log. Bounded by
// octets, the oldest go first; whoever reads one holds on to it. Any thread.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <queue/message_id.hpp>
#include <string>
#include <unordered_map>

namespace postern::queue {

class RecentBodies {
public:
    explicit RecentBodies(std::size_t most_octets) : most_octets_(most_octets) {}
    using Body = std::shared_ptr<const std::string>;
    void keep(const MessageKey& key, std::string body);
    void forget(const MessageKey& key);
    Body find(const MessageKey& key) const;  // null: it is not here (any more)

private:
    void drop(const MessageKey& key);

    const std::size_t most_octets_;
    mutable std::mutex mutex_;
    std::unordered_map<MessageKey, Body, MessageKeyHash> bodies_;
    std::deque<MessageKey> oldest_first_;  // also of some that are gone
    std::size_t octets_ = 0;
};

}  // namespace postern::queue
