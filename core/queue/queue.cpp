#include <algorithm>
#include <chrono>
#include <future>
#include <queue/crash_point.hpp>
#include <queue/queue_state.hpp>

namespace postern::queue {

// Envelopes kept in memory beyond those in flight: what comes in goes out soon, and need not be read back.
static constexpr std::size_t most_kept = 4096;
// Where the disk cannot be read.
static constexpr std::chrono::seconds unread_again{30};

Queue::State::State(Parts given)
    : parts(std::move(given)), schedule([this](const Waiting::Due& due) {
          QueuedRecipient recipient;
          recipient.domain = due.domain;
          recipient.requirement = due.requirement;
          recipient.route = due.route;
          return parts.router({}, recipient);
      }) {}

void Queue::State::keep(const MessageKey& key, QueuedMessage message) {
    auto& kept_now = envelopes[key];
    if (!kept_now) used.push_back(key);
    kept_now = std::make_shared<const QueuedMessage>(std::move(message));
    for (auto looked_at = used.size(); used.size() > most_kept && looked_at > 0; --looked_at) {
        const auto oldest = used.front();
        used.pop_front();
        if (schedule.in_flight(oldest)) used.push_back(oldest);
        else envelopes.erase(oldest);
    }
}

void Queue::State::forget(const MessageKey& key) {
    // Its place among the used goes when its turn comes.
    envelopes.erase(key);
    while (!used.empty() && !envelopes.contains(used.front())) used.pop_front();
}

std::shared_ptr<const QueuedMessage> Queue::State::kept(const MessageKey& key) const {
    const auto found = envelopes.find(key);
    return found == envelopes.end() ? nullptr : found->second;
}

// Reads the disk under the lock: whoever changes by hand has just read the same, and it is in the page cache.
bool Queue::State::adopt(const MessageKey& key) {
    if (schedule.tracks(key)) return true;
    if (arriving.contains(key)) return false;
    if (const auto known = kept(key)) {
        schedule.adopt(key, waiting_of(*known));
        return true;
    }
    const auto loaded = parts.spool.load(id_of(key));
    if (loaded) schedule.adopt(key, waiting_of(*loaded));
    return loaded.has_value();
}

Result<QueuedMessage> Queue::State::current(const MessageKey& key) const {
    if (const auto known = kept(key)) return *known;
    return parts.spool.load(id_of(key));
}

void Queue::State::changed() {
    std::function<void()> call;
    {
        std::lock_guard lock(mutex);
        call = wake;
        parts.counters.set("postern_queue_messages", {}, static_cast<double>(schedule.size()));
    }
    if (call) call();
}

std::shared_ptr<const QueuedMessage> Queue::State::envelope(const MessageKey& key, std::optional<Problem>& failing) {
    {
        std::lock_guard lock(mutex);
        if (!schedule.tracks(key)) return nullptr;
        if (auto found = kept(key)) return found;
    }
    auto loaded = parts.spool.load(id_of(key));
    std::unique_lock lock(mutex);
    if (!schedule.tracks(key)) return nullptr;
    if (auto found = kept(key)) return found;  // somebody was faster, and may have changed it since
    if (loaded) {
        keep(key, std::move(*loaded));
        return kept(key);
    }
    lock.unlock();
    if (loaded.error().id == "spool-failing") failing = loaded.error();
    else set_aside(key, loaded.error());
    return nullptr;
}

// It stays in the spool for whoever can mend it, and is not tried until the next start.
void Queue::State::set_aside(const MessageKey& key, const Problem& why) {
    parts.log.error("spool-damaged", why.text + "; " + id_of(key) + " is not tried again before a restart");
    std::lock_guard lock(mutex);
    schedule.erase(key);
    forget(key);
}

Time next_attempt(const config::Retry& retry, unsigned attempts, Time now) {
    if (attempts <= retry.quick_tries) return now + retry.quick;
    return now + (attempts <= retry.quick_tries + retry.medium_tries ? retry.medium : retry.slow);
}

Queue::Queue(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Queue::~Queue() = default;

Result<void> Queue::recover() {
    std::vector<std::string> damaged;
    const auto now = state_->parts.now();
    auto found = [&](Waiting waiting) {
        std::lock_guard lock(state_->mutex);
        if (const auto key = key_of(waiting.id)) state_->schedule.add(*key, waiting, now);
    };
    auto recovered = state_->parts.spool.recover(found, damaged);
    for (const auto& one : damaged) state_->parts.log.error("spool-damaged", one);
    if (!recovered) return recovered;
    state_->changed();
    return {};
}

void Queue::submit(std::unique_ptr<Incoming> incoming, QueuedMessage message, Done done) {
    const auto key = key_of(message.id);
    if (!key) return done(Problem{"spool-failing", message.id + " is no id of a message"});
    auto& raw = *incoming;
    auto kept = std::make_shared<QueuedMessage>(std::move(message));
    auto committed = [this, key = *key, kept, incoming = std::shared_ptr<Incoming>(std::move(incoming)),
                      done = std::move(done)](Result<void> result) {
        if (!result) {
            std::lock_guard lock(state_->mutex);
            state_->arriving.erase(key);
        }
        if (!result) return done(std::move(result));
        state_->parts.log.info(
            "queued", "id=" + kept->id + " from=<" + kept->sender + "> size=" + std::to_string(kept->size) +
                          " recipients=" + std::to_string(kept->recipients.size()) + " session=" + kept->session +
                          (kept->message_id.empty() ? "" : " message-id=<" + kept->message_id + ">") +
                          (kept->domain_secured ? " domain-secured" : ""));
        {
            std::lock_guard lock(state_->mutex);
            state_->arriving.erase(key);
            state_->schedule.add(key, waiting_of(*kept), state_->parts.now());
            state_->keep(key, std::move(*kept));
        }
        state_->changed();
        crash_point("submit.kept");
        done({});
        crash_point("submit.told");
    };
    {
        std::lock_guard lock(state_->mutex);
        state_->arriving.insert(*key);
    }
    raw.commit(*kept, std::move(committed));
}

Result<void> Queue::submit_and_wait(std::unique_ptr<Incoming> incoming, QueuedMessage message) {
    std::promise<Result<void>> promise;
    auto future = promise.get_future();
    submit(std::move(incoming), std::move(message), [&](Result<void> result) { promise.set_value(std::move(result)); });
    return future.get();
}

void Queue::due(Time now, const std::function<bool(const Destination&, std::size_t)>& call) const {
    std::lock_guard lock(state_->mutex);
    state_->schedule.due(now, call);
}

std::vector<Destination> Queue::due(Time now) const {
    std::vector<Destination> found;
    due(now, [&](const Destination& destination, std::size_t) {
        found.push_back(destination);
        return true;
    });
    return found;
}

void Queue::State::put_off_unread(const Schedule::Claim& claim, const Destination& destination, const Problem& why) {
    parts.log.error(why.id, why.text + "; " + id_of(claim.key) + " and what goes where it goes is tried again in " +
                                std::to_string(unread_again.count()) + " s");
    const auto now = parts.now();
    std::lock_guard lock(mutex);
    schedule.unclaim(claim, now);
    schedule.put_off(
        destination, [now](unsigned) { return now + unread_again; }, why.text, now);
}

std::optional<Batch> Queue::State::batch_of(const Schedule::Claim& claim, const Destination& destination,
                                            bool& failing) {
    std::optional<Problem> unread;
    const auto message = envelope(claim.key, unread);
    if (unread) put_off_unread(claim, destination, *unread);
    failing = unread.has_value();
    if (!message) return std::nullopt;
    Batch batch{destination, *message, {}, false, claim.number};
    std::lock_guard lock(mutex);
    for (std::size_t i = 0; i < message->recipients.size(); ++i) {
        const auto& one = message->recipients[i];
        if (one.held || !schedule.leads_to({one.domain, one.requirement, one.route, {}}, destination)) continue;
        batch.which.push_back(i);
        batch.clear_allowed |= one.clear_next;
    }
    if (!batch.which.empty()) return batch;
    // A reload led it elsewhere at this very moment, or the index knew it otherwise.
    schedule.settle(claim, waiting_of(*message), parts.now());
    return std::nullopt;
}

std::optional<Batch> Queue::claim(const Destination& destination, Time now) {
    const auto rate = state_->parts.rate(destination);
    // What cannot be read is set aside, and the next one is taken.
    for (;;) {
        std::optional<Schedule::Claim> claim;
        {
            std::lock_guard lock(state_->mutex);
            claim = state_->schedule.claim(destination, now, rate);
        }
        if (!claim) return std::nullopt;
        bool failing = false;
        if (auto batch = state_->batch_of(*claim, destination, failing); batch || failing) return batch;
    }
}

std::optional<Batch> Queue::claim_overdue(const Destination& destination, Time now) {
    const auto retry = state_->parts.retry(destination);
    for (;;) {
        std::optional<Schedule::Claim> claim;
        {
            std::lock_guard lock(state_->mutex);
            claim = state_->schedule.claim_anyway(destination, now);
        }
        if (!claim) return std::nullopt;
        bool failing = false;
        auto batch = state_->batch_of(*claim, destination, failing);
        if (failing) return std::nullopt;
        if (batch && batch->message.received < now - std::min(retry.delay_notice, retry.expiry)) return batch;
        if (!batch) continue;
        // The longest due has not waited long enough: nor have the others, as a rule.
        std::lock_guard lock(state_->mutex);
        state_->schedule.unclaim(*claim, now);
        return std::nullopt;
    }
}

void Queue::put_off(const Destination& destination, const std::string& why) {
    const auto now = state_->parts.now();
    const auto retry = state_->parts.retry(destination);
    std::lock_guard lock(state_->mutex);
    state_->schedule.put_off(
        destination, [&](unsigned failures) { return next_attempt(retry, failures, now); }, why, now);
}

void Queue::release(const Batch& batch) {
    {
        std::lock_guard lock(state_->mutex);
        if (const auto key = key_of(batch.message.id))
            state_->schedule.unclaim({*key, batch.claim}, state_->parts.now());
    }
    state_->changed();
}

std::optional<Time> Queue::next_due() const {
    std::lock_guard lock(state_->mutex);
    return state_->schedule.next_due(state_->parts.now());
}

void Queue::on_change(std::function<void()> wake) {
    std::lock_guard lock(state_->mutex);
    state_->wake = std::move(wake);
}

void Queue::retry_now() {
    {
        std::lock_guard lock(state_->mutex);
        state_->schedule.reroute(state_->parts.now());
    }
    state_->changed();
}

std::size_t Queue::size() const {
    std::lock_guard lock(state_->mutex);
    return state_->schedule.size();
}

}  // namespace postern::queue
