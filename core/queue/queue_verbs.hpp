// What an administrator may do with what waits, while mail goes on: look, try now, hold, release, remove, give back to
// the sender. All of it blocks: never on a worker.
#pragma once

#include <queue/queue.hpp>
#include <queue/selection.hpp>

namespace postern::queue {

enum class QueueVerb : std::uint8_t { retry, hold, release, remove, bounce };

struct ListedMessage {
    QueuedMessage message;
    bool in_flight = false;
};

class QueueVerbs {
public:
    explicit QueueVerbs(Queue& queue) : queue_(queue) {}

    // The oldest first; until `call` says false. A failure: not all that waits could be read, and why; what is damaged
    // is left out.
    Result<void> list(const Selection& selection, const std::function<bool(const ListedMessage&)>& call);
    std::vector<Schedule::DestinationState> destinations() const;

    // What was done with one: nothing where it was done, else why it was not ("is being delivered right now").
    using Told = std::function<void(const QueuedMessage&, const std::string& not_done)>;
    Result<void> act(QueueVerb verb, const Selection& selection, const Told& told);

private:
    std::string act_on(QueueVerb verb, const MessageKey& key, const QueuedMessage& message);
    std::string change_held(const MessageKey& key, QueuedMessage message, bool held);
    std::string bounce(const MessageKey& key, const QueuedMessage& message);
    Result<std::vector<MessageKey>> candidates(const Selection& selection) const;

    Queue& queue_;
};

}  // namespace postern::queue
