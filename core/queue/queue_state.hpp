// What the queue's files share; nobody else includes it.
#pragma once

#include <deque>
#include <mutex>
#include <queue/queue.hpp>
#include <unordered_map>
#include <unordered_set>

namespace postern::queue {

struct Queue::State {
    explicit State(Parts given);

    Parts parts;
    mutable std::mutex mutex;
    std::function<void()> wake;

    // Under the mutex:
    Schedule schedule;
    std::unordered_set<MessageKey, MessageKeyHash> arriving;  // handed to the spool, not scheduled yet
    // Envelopes that were used lately or are in flight: a copy of what the spool has, the newest.
    std::unordered_map<MessageKey, std::shared_ptr<const QueuedMessage>, MessageKeyHash> envelopes;
    std::deque<MessageKey> used;  // the oldest first

    void keep(const MessageKey& key, QueuedMessage message);
    void forget(const MessageKey& key);
    std::shared_ptr<const QueuedMessage> kept(const MessageKey& key) const;
    // The schedule tracks it from here on, as it is now; false: it is not there, or only just coming in.
    bool adopt(const MessageKey& key);
    // As it is now; may read the disk.
    Result<QueuedMessage> current(const MessageKey& key) const;

    // Without the mutex:
    void changed();
    // `failing`: the disk cannot be read now, nothing is known of the message.
    std::shared_ptr<const QueuedMessage> envelope(const MessageKey& key, std::optional<Problem>& failing);
    // Nothing and `failing`: the whole destination is put off a moment.
    std::optional<Batch> batch_of(const Schedule::Claim& claim, const Destination& destination, bool& failing);
    void put_off_unread(const Schedule::Claim& claim, const Destination& destination, const Problem& why);
    void set_aside(const MessageKey& key, const Problem& why);
};

Time next_attempt(const config::Retry& retry, unsigned attempts, Time now);

}  // namespace postern::queue
