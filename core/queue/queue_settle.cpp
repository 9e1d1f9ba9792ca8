// What the outcome of an attempt means: a recipient is dropped, tried again, or its sender is told. The record of it is
// durable before anything is dropped, and a notice before its cause.
#include <algorithm>
#include <future>
#include <queue/crash_point.hpp>
#include <queue/notice.hpp>
#include <queue/queue_state.hpp>

namespace postern::queue {

namespace {

// Beyond any schedule; a release brings it back.
const Time never{std::chrono::seconds(7258118400)};
// Where its notice could not be stored.
constexpr std::chrono::minutes told_again{5};

std::string line(const QueuedMessage& message, const QueuedRecipient& one, std::string_view relay, std::string_view tls,
                 Time now) {
    const auto delay = std::chrono::duration_cast<std::chrono::seconds>(now - message.received).count();
    return "id=" + message.id + " from=<" + message.sender + "> to=<" + one.address + "> relay=" + std::string(relay) +
           " tls=\"" + std::string(tls) + "\" status=" + one.status + " delay=" + std::to_string(delay) + "s";
}

struct Settling {
    Queue::Parts& parts;
    const Destination& destination;
    const QueuedMessage& message;
    std::string_view relay, tls;
    config::Retry retry;
    Time now;
    std::vector<Reported> reports = {};
    std::vector<QueuedRecipient> given_up = {};  // of which their sender is to be told

    // True: it is done with, one way or the other.
    bool settle(QueuedRecipient& one, const smtp::RecipientOutcome& outcome) {
        const auto way = label("way", destination.route.substr(0, destination.route.find(':')));
        const Attempt attempt{
            message, one, outcome, retry, relay, parts.is_final(destination), now, destination.route == "queue:bounce"};
        const bool expired = attempt.expired(), holds = to_be_held(attempt);
        auto report = to_report(attempt);
        const bool tells_failure = report && report->action == Action::failed;
        if (report) {
            one.delay_notified |= report->action == Action::delayed;
            reports.push_back(std::move(*report));
        }
        const auto text = (outcome.token.empty() ? "" : outcome.token + ": ") + outcome.text;
        ++one.attempts;
        one.status = outcome.status;
        one.text = text;
        if (outcome.kind == VerdictKind::proceed) {
            parts.counters.add("postern_messages_delivered_total", way);
            parts.log.info("delivered", line(message, one, relay, tls, now) + " (" + text + ")");
            return true;
        }
        if (outcome.kind == VerdictKind::reject || expired) {
            parts.counters.add("postern_messages_bounced_total", way);
            parts.log.warning("bounced", line(message, one, relay, tls, now) + " (" + text +
                                             (expired ? "; tried until it expired" : "") + ")");
            if (holds) hold(one);
            if (tells_failure) given_up.push_back(one);
            return !holds;
        }
        parts.counters.add("postern_messages_deferred_total", way);
        // Opportunistic TLS alone may be tried once without: a requirement never is.
        one.clear_next = destination.requirement.empty() && outcome.token == "handshake-failed";
        one.next_attempt = next_attempt(retry, one.attempts, now);
        const auto wait = std::chrono::duration_cast<std::chrono::seconds>(one.next_attempt - now).count();
        parts.log.info("deferred", line(message, one, relay, tls, now) + " (" + text + "; next attempt in " +
                                       std::to_string(wait) + "s)");
        return false;
    }

    // Its sender cannot be told; the message goes on to its other recipients, and is held when these are done.
    void hold(QueuedRecipient& one) const {
        one.held = true;
        one.next_attempt = never;
        parts.counters.add("postern_messages_held_total", {});
        parts.log.warning("held", "id=" + message.id + " to=<" + one.address + "> " +
                                      (message.sender.empty() ? "it has no sender to be told"
                                                              : "its sender is not proven (late_reject)") +
                                      "; postern queue shows it");
    }
};

// The recipients as they are after the batch; those of others are left as they are now.
void take_over(QueuedMessage& message, const std::vector<QueuedRecipient>& deferred,
               const std::set<std::string>& of_batch) {
    std::erase_if(message.recipients, [&](const QueuedRecipient& one) {
        return of_batch.contains(one.address) &&
               std::ranges::find(deferred, one.address, &QueuedRecipient::address) == deferred.end();
    });
    for (auto& one : message.recipients) {
        const auto after = std::ranges::find(deferred, one.address, &QueuedRecipient::address);
        if (after != deferred.end()) one = *after;
    }
}

}  // namespace

struct Settled {
    Batch batch;
    std::vector<QueuedRecipient> deferred;
    std::set<std::string> of_batch;
    std::vector<Reported> reports;
    std::vector<QueuedRecipient> given_up;
    std::function<void()> done;

    // The notice could not be stored: nothing of what it was to tell has happened yet.
    void untold(Log& log, Time again) {
        for (auto& one : deferred) {
            const auto told = [&](const Reported& report) {
                return report.action == Action::delayed && report.recipient == one.address;
            };
            if (std::ranges::any_of(reports, told)) one.delay_notified = false;
        }
        for (auto& one : given_up) {
            one.next_attempt = again;
            log.warning("deferred", "id=" + batch.message.id + " to=<" + one.address +
                                        "> its sender could not be told, for the spool failed: it is kept, and tried "
                                        "again in " +
                                        std::to_string(std::chrono::seconds(told_again).count()) + "s");
            deferred.push_back(std::move(one));
        }
    }
};

void Queue::settle(const Batch& batch, const std::vector<smtp::RecipientOutcome>& outcomes, const std::string& relay,
                   const std::string& tls, std::function<void()> done) {
    crash_point("settle.begun");
    auto settled = std::make_shared<Settled>();
    settled->batch = batch;
    settled->done = std::move(done);
    Settling settling{
        state_->parts,      batch.destination, batch.message, relay, tls, state_->parts.retry(batch.destination),
        state_->parts.now()};
    for (std::size_t i = 0; i < batch.which.size() && i < outcomes.size(); ++i) {
        auto one = batch.message.recipients.at(batch.which[i]);
        settled->of_batch.insert(one.address);
        if (!settling.settle(one, outcomes[i])) settled->deferred.push_back(std::move(one));
    }
    settled->reports = std::move(settling.reports);
    settled->given_up = std::move(settling.given_up);
    if (relay != "none") {
        std::lock_guard lock(state_->mutex);
        state_->schedule.works(batch.destination);
    }
    if (settled->reports.empty()) return record(settled);
    // The notice is durable before its cause is dropped: a crash in between repeats it.
    auto tell = [this, settled] {
        notify(settled->batch.message, settled->reports, [this, settled](bool told) {
            crash_point("settle.told");
            if (!told) settled->untold(state_->parts.log, state_->parts.now() + told_again);
            record(settled);
        });
    };
    if (state_->parts.offload) state_->parts.offload(std::move(tell));
    else tell();
}

// Writes what is left of the message; the order of records is that in which the lock was had.
void Queue::record(const std::shared_ptr<Settled>& settled) {
    const auto key = *key_of(settled->batch.message.id);
    std::unique_lock lock(state_->mutex);
    const auto before = state_->kept(key);
    if (!before || !state_->schedule.tracks(key)) {
        lock.unlock();
        return settled->done();
    }
    QueuedMessage after = *before;
    take_over(after, settled->deferred, settled->of_batch);
    after.held |= !after.recipients.empty() && std::ranges::all_of(after.recipients, &QueuedRecipient::held);
    const bool gone = after.recipients.empty();
    state_->keep(key, after);
    auto recorded = [this, settled, key, gone](const Result<void>& result) {
        crash_point("settle.recorded");
        if (!result)
            state_->parts.log.error("spool-failing",
                                    result.error().text + "; this delivery may be repeated after a restart");
        {
            std::lock_guard again(state_->mutex);
            const auto now = state_->parts.now();
            if (gone) {
                state_->schedule.erase(key);
                state_->forget(key);
            } else if (const auto kept = state_->kept(key)) {
                state_->schedule.settle({key, settled->batch.claim}, waiting_of(*kept), now);
            }
        }
        state_->changed();
        settled->done();
    };
    if (gone) state_->parts.spool.remove(after.id, std::move(recorded));
    else state_->parts.spool.update(after, std::move(recorded));
}

void Queue::settle_and_wait(const Batch& batch, const std::vector<smtp::RecipientOutcome>& outcomes,
                            const std::string& relay, const std::string& tls) {
    std::promise<void> promise;
    auto future = promise.get_future();
    settle(batch, outcomes, relay, tls, [&] { promise.set_value(); });
    future.get();
}

// `told` false: the spool failed.
void Queue::notify(const QueuedMessage& message, const std::vector<Reported>& reports, std::function<void(bool)> told) {
    auto& parts = state_->parts;
    QueuedRecipient back;
    back.domain = message.sender.substr(message.sender.rfind('@') + 1);
    const auto way_back = parts.router({}, back).requirement;
    auto returned = returned_part(parts.spool, message, reports, way_back.starts_with("mutual"));
    const auto id = parts.spool.new_id();
    auto made = notice(message, reports, parts.fqdn, id, parts.now(), returned);
    if (returned.whole && !fits_everywhere(made.text)) {
        keep_header(returned);
        made = notice(message, reports, parts.fqdn, id, parts.now(), returned);
    }
    // What it returns was chosen for this way: whatever the lists say later, it takes no lesser one.
    made.envelope.recipients.front().requirement = way_back;
    auto incoming = parts.spool.begin();
    if (!incoming || !(*incoming)->append(made.text)) return told(false);
    auto queued = [this, message, envelope = made.envelope, told = std::move(told)](const Result<void>& result) {
        if (result)
            state_->parts.log.info("notified",
                                   "id=" + message.id + " from=<" + message.sender + "> notice=" + envelope.id);
        if (result && state_->parts.on_notice) state_->parts.on_notice(message, envelope);
        told(result.has_value());
    };
    submit(std::move(*incoming), std::move(made.envelope), std::move(queued));
}

}  // namespace postern::queue
