#include <algorithm>
#include <future>
#include <queue/notice.hpp>
#include <queue/queue_state.hpp>
#include <queue/queue_verbs.hpp>
#include <set>

namespace postern::queue {

std::vector<MessageKey> QueueVerbs::candidates(const Selection& selection) const {
    if (selection.ids.empty()) {
        auto all = queue_.state_->parts.spool.keys();
        if (const auto after = key_of(selection.after)) all.erase(all.begin(), std::ranges::upper_bound(all, *after));
        return all;
    }
    std::vector<MessageKey> keys;
    for (const auto& id : selection.ids)
        if (const auto key = key_of(id)) keys.push_back(*key);
    return keys;
}

void QueueVerbs::list(const Selection& selection, const std::function<bool(const ListedMessage&)>& call) {
    auto& state = *queue_.state_;
    const auto now = state.parts.now();
    for (const auto& key : candidates(selection)) {
        ListedMessage listed;
        {
            // Past the queue's memory: a look at a million messages leaves what is hot in it.
            std::lock_guard lock(state.mutex);
            listed.in_flight = state.schedule.in_flight(key);
            if (const auto kept = state.kept(key)) listed.message = *kept;
        }
        if (listed.message.id.empty()) {
            auto loaded = state.parts.spool.load(id_of(key));
            if (loaded) listed.message = std::move(*loaded);
            else if (loaded.error().id != "spool-damaged") continue;  // gone meanwhile, or nothing is known now
            else {
                listed.message.id = id_of(key);
                listed.unreadable = loaded.error().text;
            }
        }
        const bool taken = listed.unreadable.empty() ? selection.takes(listed.message, now) : selection.takes_any();
        if (taken && !call(listed)) return;
    }
}

std::vector<Schedule::DestinationState> QueueVerbs::destinations() const {
    std::lock_guard lock(queue_.state_->mutex);
    return queue_.state_->schedule.destinations();
}

void QueueVerbs::act(QueueVerb verb, const Selection& selection, const Told& told) {
    std::set<std::string> seen;
    list(selection, [&](const ListedMessage& one) {
        const auto key = *key_of(one.message.id);
        if (!selection.ids.empty()) seen.insert(one.message.id);
        if (one.unreadable.empty()) told(one.message.id, act_on(verb, key));
        else if (verb == QueueVerb::remove) told(one.message.id, remove_unreadable(key));
        else told(one.message.id, one.unreadable);
        return true;
    });
    for (const auto& id : selection.ids)
        if (seen.insert(id).second) told(id, "is not in the queue, or not of that kind");
    queue_.state_->changed();
}

std::string QueueVerbs::act_on(QueueVerb verb, const MessageKey& key) {
    switch (verb) {
        case QueueVerb::retry:
            return retry(key);
        case QueueVerb::hold:
        case QueueVerb::release:
            return change_held(key, verb == QueueVerb::hold);
        case QueueVerb::bounce:
            return bounce(key);
        default:
            return remove(key);
    }
}

std::string QueueVerbs::at_rest(const MessageKey& key, QueuedMessage& message) {
    auto& state = *queue_.state_;
    if (!state.adopt(key)) return "is delivered meanwhile";
    if (state.schedule.in_flight(key)) return "is being delivered right now";
    auto current = state.current(key);
    if (!current) return current.error().text;
    message = std::move(*current);
    return {};
}

std::string QueueVerbs::retry(const MessageKey& key) {
    auto& state = *queue_.state_;
    std::lock_guard lock(state.mutex);
    QueuedMessage message;
    if (auto why = at_rest(key, message); !why.empty()) return why;
    auto waiting = waiting_of(message);
    if (message.held || waiting.due.empty()) return "is held: see postern queue release";
    const auto now = state.parts.now();
    for (auto& due : waiting.due) due.next_attempt = now;
    state.schedule.put(key, waiting, now);
    state.schedule.allow(key, now);
    return {};
}

std::string QueueVerbs::remove(const MessageKey& key) {
    auto& state = *queue_.state_;
    // Claimed first: nobody delivers what is about to go.
    std::optional<Schedule::Claim> claim;
    QueuedMessage message;
    {
        std::lock_guard lock(state.mutex);
        if (auto why = at_rest(key, message); !why.empty()) return why;
        claim = state.schedule.claim_all(key);
    }
    if (!claim) return "is being delivered right now";
    const auto removed = remove_and_wait(state.parts.spool, message.id);
    {
        std::lock_guard lock(state.mutex);
        if (!removed) {
            state.schedule.unclaim(*claim, state.parts.now());
            return removed.error().text;
        }
        state.schedule.erase(key);
        state.forget(key);
    }
    for (const auto& one : message.recipients)
        state.parts.log.warning("removed", "id=" + message.id + " from=<" + message.sender + "> to=<" + one.address +
                                               ">: by postern queue remove");
    return {};
}

// Nobody tries it, and nobody but who reads the log knew of it.
std::string QueueVerbs::remove_unreadable(const MessageKey& key) {
    auto& state = *queue_.state_;
    {
        std::lock_guard lock(state.mutex);
        if (state.schedule.in_flight(key)) return "is being delivered right now";
        // It waits for its turn, at which it would be set aside.
        if (state.schedule.tracks(key)) state.schedule.erase(key);
        state.forget(key);
    }
    if (const auto removed = remove_and_wait(state.parts.spool, id_of(key)); !removed) return removed.error().text;
    state.parts.log.warning("removed", "id=" + id_of(key) + ", which could not be read: by postern queue remove");
    return {};
}

std::string QueueVerbs::change_held(const MessageKey& key, bool held) {
    auto& state = *queue_.state_;
    std::promise<Result<void>> promise;
    auto future = promise.get_future();
    {
        std::lock_guard lock(state.mutex);
        QueuedMessage message;
        if (auto why = at_rest(key, message); !why.empty()) return why;
        const auto is_held = [](const QueuedRecipient& one) { return one.held; };
        const bool some_held = message.held || std::ranges::any_of(message.recipients, is_held);
        if (held ? message.held : !some_held) return held ? "is held already" : "is not held";
        const auto now = state.parts.now();
        for (auto& one : message.recipients) {
            if (held || (!message.held && !one.held)) continue;
            one.next_attempt = now;
            one.held = false;
        }
        message.held = held;
        state.schedule.put(key, waiting_of(message), now);
        state.keep(key, message);
        state.parts.spool.update(message, [&](Result<void> result) { promise.set_value(std::move(result)); });
    }
    if (const auto recorded = future.get(); !recorded)
        return recorded.error().text + "; it is as before after a restart";
    state.parts.log.info(held ? "held" : "released", "id=" + id_of(key) + ": by postern queue");
    return {};
}

std::string QueueVerbs::bounce(const MessageKey& key) {
    auto& state = *queue_.state_;
    Batch batch;
    {
        std::lock_guard lock(state.mutex);
        if (auto why = at_rest(key, batch.message); !why.empty()) return why;
        if (batch.message.sender.empty()) return "has no sender to tell: see postern queue remove";
        const auto claim = state.schedule.claim_all(key);
        if (!claim) return "is being delivered right now";
        batch.claim = claim->number;
        state.keep(key, batch.message);
    }
    batch.destination.route = "queue:bounce";
    smtp::RecipientOutcome outcome;
    outcome.kind = VerdictKind::reject;
    outcome.status = "5.0.0";
    outcome.text = "given up by the administrator";
    for (std::size_t i = 0; i < batch.message.recipients.size(); ++i) batch.which.push_back(i);
    queue_.settle_and_wait(batch, std::vector(batch.which.size(), outcome), "none", "none");
    std::lock_guard lock(state.mutex);
    return state.kept(key) ? "stays: the spool failed, and its sender could not be told" : "";
}

}  // namespace postern::queue
