#include <algorithm>
#include <future>
#include <queue/crash_point.hpp>
#include <queue/notice.hpp>
#include <queue/queue_state.hpp>
#include <queue/queue_verbs.hpp>
#include <set>

namespace postern::queue {

static constexpr std::size_t most_begun = 500;

Result<std::vector<MessageKey>> QueueVerbs::candidates(const Selection& selection) const {
    if (selection.ids.empty()) {
        auto all = queue_.state_->parts.spool.keys();
        if (const auto after = key_of(selection.after); all && after)
            all->erase(all->begin(), std::ranges::upper_bound(*all, *after));
        return all;
    }
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
            if (loaded) listed.message = std::move(*loaded);
            else if (loaded.error().id == "spool-damaged") {
                listed.message.id = id_of(key);
                listed.unreadable = loaded.error().text;
            } else {  // gone meanwhile, or nothing is known now
                if (loaded.error().id == "spool-failing") all = loaded.error();
                continue;
            }
        }
        const bool taken = listed.unreadable.empty() ? selection.takes(listed.message, now) : selection.takes_any();
        if (taken && !call(listed)) break;
    }
    return all;
}

std::vector<Schedule::DestinationState> QueueVerbs::destinations() const {
    std::lock_guard lock(queue_.state_->mutex);
    return queue_.state_->schedule.destinations();
}

Result<void> QueueVerbs::act(QueueVerb verb, const Selection& selection, const Told& told) {
    std::set<std::string> seen;
    const auto begin = [&](const std::string& id) {
        const auto why_not = act_on(verb, *key_of(id));
        if (begun_.empty() || begun_.back().id != id) told(id, why_not);
        if (begun_.size() >= most_begun) finish_all(told);
    };
    auto all = list(selection, [&](const ListedMessage& one) {
        if (!selection.ids.empty()) seen.insert(one.message.id);
        if (one.unreadable.empty()) begin(one.message.id);
        else if (verb == QueueVerb::remove) told(one.message.id, remove_unreadable(*key_of(one.message.id)));
        else told(one.message.id, one.unreadable);
        return true;
    });
    finish_all(told);
    for (const auto& id : selection.ids)
        if (seen.insert(id).second) told(id, "is not in the queue, or not of that kind");
    queue_.state_->changed();
    return all;
}

void QueueVerbs::finish_all(const Told& told) {
    for (auto& one : std::exchange(begun_, {})) told(one.id, one.finish(one.recorded.get()));
}

void QueueVerbs::change(const MessageKey& key, QueuedMessage message,
                        std::function<std::string(const Result<void>&)> finish) {
    auto& state = *queue_.state_;
    state.schedule.put(key, waiting_of(message), state.parts.now());
    auto promise = std::make_shared<std::promise<Result<void>>>();
    begun_.push_back({message.id, promise->get_future(), std::move(finish)});
    state.keep(key, message);
    state.parts.spool.update(message, [promise](Result<void> result) { promise->set_value(std::move(result)); });
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
    const auto is_held = [](const QueuedRecipient& one) { return one.held; };
    if (message.held || std::ranges::all_of(message.recipients, is_held)) return "is held: see postern queue release";
    const auto now = state.parts.now();
    for (auto& one : message.recipients)
        if (!one.held) one.next_attempt = now;
    // Kept: a restart, or a daemon that is started later, is to know it.
    change(key, std::move(message), [](const Result<void>& recorded) {
        crash_point("verb.recorded");
        return recorded ? std::string() : recorded.error().text + "; it is due as before after a restart";
    });
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
    auto promise = std::make_shared<std::promise<Result<void>>>();
    auto finish = [&state, key, message, claim = *claim](const Result<void>& removed) -> std::string {
        crash_point("verb.removed");
        std::unique_lock lock(state.mutex);
        if (!removed) {
            state.schedule.unclaim(claim, state.parts.now());
            return removed.error().text;
        }
        state.schedule.erase(key);
        state.forget(key);
        lock.unlock();
        for (const auto& one : message.recipients)
            state.parts.log.warning("removed", "id=" + message.id + " from=<" + message.sender + "> to=<" +
                                                   one.address + ">: by postern queue remove");
        return {};
    };
    begun_.push_back({message.id, promise->get_future(), std::move(finish)});
    state.parts.spool.remove(message.id, [promise](Result<void> result) { promise->set_value(std::move(result)); });
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
    change(key, std::move(message), [&state, key, held](const Result<void>& recorded) -> std::string {
        crash_point("verb.recorded");
        if (!recorded) return recorded.error().text + "; it is as before after a restart";
        state.parts.log.info(held ? "held" : "released", "id=" + id_of(key) + ": by postern queue");
        return {};
    });
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
