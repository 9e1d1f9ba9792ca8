// What the queue's files share; nobody else includes it.
#pragma once

#include <deque>
#include <mutex>
#include <queue/queue.hpp>

namespace postern::queue {

struct Queue::State {
    explicit State(Parts given);

    Parts parts;
    mutable std::mutex mutex;
    std::function<void()> wake;

    // Under the mutex:
    Schedule schedule;
    // Envelopes that were used lately or are in flight: a copy of what the spool has, the newest.
    std::unordered_map<MessageKey, std::shared_ptr<const QueuedMessage>, MessageKeyHash> envelopes;
    std::deque<MessageKey> used;  // the oldest first

    void keep(const MessageKey& key, QueuedMessage message);
    void forget(const MessageKey& key);
    std::shared_ptr<const QueuedMessage> kept(const MessageKey& key) const;

    // Without the mutex:
    void changed();
    std::shared_ptr<const QueuedMessage> envelope(const MessageKey& key);
    std::optional<Batch> batch_of(const Schedule::Claim& claim, const Destination& destination);
    void set_aside(const MessageKey& key, const Problem& why);
};

Time next_attempt(const config::Retry& retry, unsigned attempts, Time now);

}  // namespace postern::queue
