// What an administrator may do with what waits, while mail goes on: look, try now, hold, release, remove, give back to
// the sender. All of it blocks: never on a worker.
#pragma once

#include <future>
#include <queue/queue.hpp>
#include <queue/selection.hpp>

namespace postern::queue {

enum class QueueVerb : std::uint8_t { retry, hold, release, remove, bounce };

struct ListedMessage {
    QueuedMessage message;
    bool in_flight = false;
    std::string unreadable;  // why; of the message only its id is known then
};

class QueueVerbs {
public:
    explicit QueueVerbs(Queue& queue) : queue_(queue) {}

    // The oldest first; until `call` says false. A failure: not all that waits could be read, and why.
    Result<void> list(const Selection& selection, const std::function<bool(const ListedMessage&)>& call);
    std::vector<Schedule::DestinationState> destinations() const;

    // What was done with one: nothing where it was done, else why it was not ("is being delivered right now"). Told of
    // every id that was asked for, too.
    using Told = std::function<void(const std::string& id, const std::string& not_done)>;
    Result<void> act(QueueVerb verb, const Selection& selection, const Told& told);

private:
    // Begun, and told when the disk has it: many are written with one sync.
    struct Begun {
        std::string id;
        std::future<Result<void>> recorded;
        std::function<std::string(const Result<void>&)> finish;  // why it was not done, or nothing
    };
    // What a verb finds and leaves is decided under the queue's lock: a delivery may have ended since the list was
    // made. Why it is not done, or nothing: it is, or is begun.
    std::string act_on(QueueVerb verb, const MessageKey& key);
    std::string retry(const MessageKey& key);
    std::string change_held(const MessageKey& key, bool held);
    std::string bounce(const MessageKey& key);
    std::string remove(const MessageKey& key);
    std::string remove_unreadable(const MessageKey& key);
    // Why it is not to be touched now; nothing, and `message` is what it is now. With the lock.
    std::string at_rest(const MessageKey& key, QueuedMessage& message);
    void change(const MessageKey& key, QueuedMessage message,
                std::function<std::string(const Result<void>&)> finish);  // with the lock
    void finish_all(const Told& told);
    Result<std::vector<MessageKey>> candidates(const Selection& selection) const;

    Queue& queue_;
    std::vector<Begun> begun_;
};

}  // namespace postern::queue
