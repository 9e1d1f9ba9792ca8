#include <algorithm>
#include <future>
#include <queue/crash_point.hpp>
#include <queue/notice.hpp>
#include <queue/queue_state.hpp>
#include <queue/queue_verbs.hpp>

namespace postern::queue {

Result<std::vector<MessageKey>> QueueVerbs::candidates(const Selection& selection) const {
    if (selection.ids.empty()) return queue_.state_->parts.spool.keys();
    std::vector<MessageKey> keys;
    for (const auto& id : selection.ids)
        if (const auto key = key_of(id)) keys.push_back(*key);
    return keys;
}

Result<void> QueueVerbs::list(const Selection& selection, const std::function<bool(const ListedMessage&)>& call) {
    auto& state = *queue_.state_;
    const auto now = state.parts.now();
    const auto keys = candidates(selection);
    if (!keys) return keys.error();
    Result<void> all;
    for (const auto& key : *keys) {
        ListedMessage listed;
        {
            // Past the queue's memory: a look at a million messages leaves what is hot in it.
            std::lock_guard lock(state.mutex);
            listed.in_flight = state.schedule.in_flight(key);
            if (const auto kept = state.kept(key)) listed.message = *kept;
        }
        if (listed.message.id.empty()) {
            auto loaded = state.parts.spool.load(id_of(key));
            if (!loaded) {
                if (loaded.error().id == "spool-failing") all = loaded.error();
                continue;
            }
            listed.message = std::move(*loaded);
        }
        if (selection.takes(listed.message, now) && !call(listed)) break;
    }
    return all;
}

std::vector<Schedule::DestinationState> QueueVerbs::destinations() const {
    std::lock_guard lock(queue_.state_->mutex);
    return queue_.state_->schedule.destinations();
}

Result<void> QueueVerbs::act(QueueVerb verb, const Selection& selection, const Told& told) {
    auto all = list(selection, [&](const ListedMessage& one) {
        told(one.message, act_on(verb, *key_of(one.message.id), one.message));
        return true;
    });
    queue_.state_->changed();
    return all;
}

std::string QueueVerbs::act_on(QueueVerb verb, const MessageKey& key, const QueuedMessage& message) {
    auto& state = *queue_.state_;
    {
        std::lock_guard lock(state.mutex);
        if (!state.adopt(key)) return "is delivered meanwhile";
        if (state.schedule.in_flight(key)) return "is being delivered right now";
        if (verb == QueueVerb::retry) {
            if (message.held) return "is held: see postern queue release";
            auto waiting = waiting_of(message);
            const auto now = state.parts.now();
            for (auto& due : waiting.due) due.next_attempt = now;
            state.schedule.put(key, waiting, now);
            state.schedule.allow(key, now);
            return {};
        }
    }
    if (verb == QueueVerb::bounce) return bounce(key, message);
    if (verb == QueueVerb::hold || verb == QueueVerb::release)
        return change_held(key, message, verb == QueueVerb::hold);
    // Claimed first: nobody delivers what is about to go.
    std::optional<Schedule::Claim> claim;
    {
        std::lock_guard lock(state.mutex);
        claim = state.adopt(key) ? state.schedule.claim_all(key) : std::nullopt;
    }
    if (!claim) return "is being delivered right now";
    const auto removed = remove_and_wait(state.parts.spool, message.id);
    crash_point("verb.removed");
    {
        std::lock_guard lock(state.mutex);
        if (!removed) {
            state.schedule.unclaim(*claim, state.parts.now());
            return removed.error().text;
        }
        state.schedule.erase(key);
        state.forget(key);
    }
    state.parts.log.warning("removed", "id=" + message.id + " from=<" + message.sender + ">: by postern queue remove");
    return {};
}

std::string QueueVerbs::change_held(const MessageKey& key, QueuedMessage message, bool held) {
    auto& state = *queue_.state_;
    if (message.held == held) return held ? "is held already" : "is not held";
    message.held = held;
    const auto now = state.parts.now();
    if (!held)
        for (auto& one : message.recipients) {
            one.next_attempt = now;
            one.held = false;
        }
    std::promise<Result<void>> promise;
    auto future = promise.get_future();
    {
        std::lock_guard lock(state.mutex);
        if (!state.adopt(key) || state.schedule.in_flight(key)) return "is being delivered right now";
        state.schedule.put(key, waiting_of(message), now);
        state.keep(key, message);
        state.parts.spool.update(message, [&](Result<void> result) { promise.set_value(std::move(result)); });
    }
    const auto recorded = future.get();
    crash_point("verb.recorded");
    if (!recorded) return recorded.error().text + "; it is as before after a restart";
    state.parts.log.info(held ? "held" : "released", "id=" + message.id + ": by postern queue");
    return {};
}

std::string QueueVerbs::bounce(const MessageKey& key, const QueuedMessage& message) {
    auto& state = *queue_.state_;
    if (message.sender.empty()) return "has no sender to tell: see postern queue remove";
    Batch batch;
    {
        std::lock_guard lock(state.mutex);
        const auto claim = state.adopt(key) ? state.schedule.claim_all(key) : std::nullopt;
        if (!claim) return "is being delivered right now";
        batch.claim = claim->number;
        state.keep(key, message);
    }
    batch.message = message;
    batch.destination.route = "queue:bounce";
    smtp::RecipientOutcome outcome;
    outcome.kind = VerdictKind::reject;
    outcome.status = "5.0.0";
    outcome.text = "given up by the administrator";
    for (std::size_t i = 0; i < message.recipients.size(); ++i) batch.which.push_back(i);
    queue_.settle_and_wait(batch, std::vector(batch.which.size(), outcome), "none", "none");
    return {};
}

}  // namespace postern::queue
