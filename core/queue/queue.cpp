#include <algorithm>
#include <map>
#include <mutex>
#include <queue/notice.hpp>
#include <queue/queue.hpp>
#include <set>

namespace postern::queue {

namespace {
constexpr std::size_t returned_octets = 64u << 10;

std::string line(const QueuedMessage& message, const QueuedRecipient& one, std::string_view relay, std::string_view tls,
                 Time now) {
    const auto delay = std::chrono::duration_cast<std::chrono::seconds>(now - message.received).count();
    return "id=" + message.id + " from=<" + message.sender + "> to=<" + one.address + "> relay=" + std::string(relay) +
           " tls=\"" + std::string(tls) + "\" status=" + one.status + " delay=" + std::to_string(delay) + "s";
}
}  // namespace

struct Queue::State {
    explicit State(Parts given) : parts(std::move(given)) {}

    struct Waiting {
        QueuedMessage message;
        std::set<std::string> in_flight;  // addresses of recipients
    };

    Parts parts;
    mutable std::mutex mutex;
    std::map<std::string, Waiting> messages;
    std::function<void()> wake;

    void changed() {
        std::function<void()> call;
        {
            std::lock_guard lock(mutex);
            call = wake;
            parts.counters.set("postern_queue_messages", {}, static_cast<double>(messages.size()));
        }
        if (call) call();
    }

    // Everything below needs the mutex.
    bool is_due(const Waiting& waiting, const QueuedRecipient& one, Time now) const {
        return !waiting.message.held && one.next_attempt <= now && !waiting.in_flight.contains(one.address);
    }

    Time next_attempt(const config::Retry& retry, unsigned attempts, Time now) const {
        if (attempts <= retry.quick_tries) return now + retry.quick;
        return now + (attempts <= retry.quick_tries + retry.medium_tries ? retry.medium : retry.slow);
    }

    void settle_one(Waiting& waiting, QueuedRecipient& one, const smtp::RecipientOutcome& outcome,
                    const Destination& destination, std::string_view relay, std::string_view tls,
                    std::vector<Undelivered>& failed, std::set<std::string>& done);
};

Queue::Queue(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Queue::~Queue() = default;

Result<void> Queue::recover() {
    std::vector<std::string> damaged;
    auto waiting = state_->parts.spool.recover(damaged);
    for (const auto& one : damaged) state_->parts.log.error("spool-damaged", one + "; set aside in damaged/");
    if (!waiting) return waiting.error();
    {
        std::lock_guard lock(state_->mutex);
        for (auto& message : *waiting) {
            const auto id = message.id;
            state_->messages.emplace(id, State::Waiting{std::move(message), {}});
        }
    }
    state_->changed();
    return {};
}

Result<void> Queue::submit(Incoming& incoming, QueuedMessage message) {
    if (auto committed = incoming.commit(message); !committed) return committed;
    state_->parts.log.info(
        "queued", "id=" + message.id + " from=<" + message.sender + "> size=" + std::to_string(message.size) +
                      " recipients=" + std::to_string(message.recipients.size()) + " session=" + message.session +
                      (message.domain_secured ? " domain-secured" : ""));
    {
        std::lock_guard lock(state_->mutex);
        const auto id = message.id;
        state_->messages.emplace(id, State::Waiting{std::move(message), {}});
    }
    state_->changed();
    return {};
}

std::vector<Destination> Queue::due(Time now) {
    std::set<Destination> found;
    std::lock_guard lock(state_->mutex);
    for (const auto& [id, waiting] : state_->messages)
        for (const auto& one : waiting.message.recipients)
            if (state_->is_due(waiting, one, now)) found.insert(state_->parts.router(waiting.message, one));
    return {found.begin(), found.end()};
}

std::optional<Batch> Queue::claim(const Destination& destination, Time now) {
    std::lock_guard lock(state_->mutex);
    for (auto& [id, waiting] : state_->messages) {
        Batch batch{destination, {}, {}, false};
        for (std::size_t i = 0; i < waiting.message.recipients.size(); ++i) {
            const auto& one = waiting.message.recipients[i];
            if (!state_->is_due(waiting, one, now) || state_->parts.router(waiting.message, one) != destination)
                continue;
            batch.which.push_back(i);
            batch.clear_allowed |= one.clear_next;
            waiting.in_flight.insert(one.address);
        }
        if (batch.which.empty()) continue;
        batch.message = waiting.message;
        return batch;
    }
    return std::nullopt;
}

void Queue::State::settle_one(Waiting& waiting, QueuedRecipient& one, const smtp::RecipientOutcome& outcome,
                              const Destination& destination, std::string_view relay, std::string_view tls,
                              std::vector<Undelivered>& failed, std::set<std::string>& done) {
    const auto now = parts.now();
    const auto retry = parts.retry(destination);
    const auto way = label("way", destination.route.substr(0, destination.route.find(':')));
    const bool expired = now - waiting.message.received > retry.expiry;
    const auto text = (outcome.token.empty() ? "" : outcome.token + ": ") + outcome.text;
    ++one.attempts;
    one.status = outcome.status;
    one.text = text;
    if (outcome.kind == VerdictKind::proceed) {
        parts.counters.add("postern_messages_delivered_total", way);
        parts.log.info("delivered", line(waiting.message, one, relay, tls, now) + " (" + text + ")");
        done.insert(one.address);
    } else if (outcome.kind == VerdictKind::reject || expired) {
        parts.counters.add("postern_messages_bounced_total", way);
        parts.log.warning("bounced", line(waiting.message, one, relay, tls, now) + " (" + text +
                                         (expired ? "; tried until it expired" : "") + ")");
        failed.push_back({one.address, outcome.status, outcome.text, outcome.token});
        done.insert(one.address);
    } else {
        parts.counters.add("postern_messages_deferred_total", way);
        // Opportunistic TLS alone may be tried once without: a requirement never is.
        one.clear_next = destination.requirement.empty() && outcome.token == "handshake-failed";
        one.next_attempt = next_attempt(retry, one.attempts, now);
        const auto wait = std::chrono::duration_cast<std::chrono::seconds>(one.next_attempt - now).count();
        parts.log.info("deferred", line(waiting.message, one, relay, tls, now) + " (" + text + "; next attempt in " +
                                       std::to_string(wait) + "s)");
    }
}

static std::string beginning(Spool& spool, const QueuedMessage& message) {
    auto source = spool.open(message.id);
    if (!source) return {};
    std::string octets(returned_octets, '\0');
    const auto count = (*source)->read_at(0, {reinterpret_cast<std::uint8_t*>(octets.data()), octets.size()});
    octets.resize(count ? *count : 0);
    // What was received or sent over mutual TLS does not go back in clear.
    bool secured = message.domain_secured;
    for (const auto& one : message.recipients) secured |= one.requirement.starts_with("mutual");
    if (secured) octets.resize(std::min(octets.size(), octets.find("\r\n\r\n")));
    return octets;
}

void Queue::settle(const Batch& batch, const std::vector<smtp::RecipientOutcome>& outcomes, std::string_view relay,
                   std::string_view tls) {
    std::vector<Undelivered> failed;
    QueuedMessage copy, before;
    {
        std::lock_guard lock(state_->mutex);
        auto found = state_->messages.find(batch.message.id);
        if (found == state_->messages.end()) return;
        auto& waiting = found->second;
        before = waiting.message;
        std::set<std::string> done;
        for (std::size_t i = 0; i < batch.which.size() && i < outcomes.size(); ++i) {
            const auto& address = batch.message.recipients.at(batch.which[i]).address;
            waiting.in_flight.erase(address);
            for (auto& one : waiting.message.recipients)
                if (one.address == address) {
                    state_->settle_one(waiting, one, outcomes[i], batch.destination, relay, tls, failed, done);
                    break;
                }
        }
        std::erase_if(waiting.message.recipients,
                      [&](const QueuedRecipient& one) { return done.contains(one.address); });
        copy = waiting.message;
    }
    // The notice is durable before its cause is dropped: a crash in between repeats it.
    bool keep = false;
    if (!failed.empty()) keep = !notify(before, failed);
    auto recorded = Result<void>();
    if (keep && copy.recipients.empty()) {
        copy = before;
        copy.held = true;
        state_->parts.log.warning("held", "id=" + copy.id + " to=<" + failed.front().recipient +
                                              "> nobody can be told; postern queue shows it");
        recorded = state_->parts.spool.update(copy);
    } else {
        recorded = copy.recipients.empty() ? state_->parts.spool.remove(copy.id) : state_->parts.spool.update(copy);
    }
    if (!recorded)
        state_->parts.log.error("spool-failing",
                                recorded.error().text + "; this delivery may be repeated after a restart");
    {
        std::lock_guard lock(state_->mutex);
        if (copy.recipients.empty()) state_->messages.erase(copy.id);
        else if (copy.held) state_->messages.at(copy.id).message = copy;
    }
    state_->changed();
}

// False: nobody can be told (a notice about a notice, or the spool failed).
bool Queue::notify(const QueuedMessage& message, const std::vector<Undelivered>& failed) {
    auto& parts = state_->parts;
    if (message.sender.empty()) return false;
    QueuedMessage notice;
    notice.id = parts.spool.new_id();
    notice.received = parts.now();
    notice.connector = "notice";
    notice.session = message.session;
    const auto text =
        failure_notice(message, failed, parts.fqdn, notice.id, notice.received, beginning(parts.spool, message));
    notice.size = text.size();
    QueuedRecipient recipient;
    recipient.address = message.sender;
    recipient.domain = message.sender.substr(message.sender.rfind('@') + 1);
    recipient.next_attempt = notice.received;
    notice.recipients.push_back(recipient);
    auto incoming = parts.spool.begin();
    if (!incoming || !(*incoming)->append(text)) return false;
    if (!submit(**incoming, notice)) return false;
    if (parts.on_notice) parts.on_notice(message, notice);
    return true;
}

bool Queue::release_held(const std::string& id) {
    QueuedMessage copy;
    {
        std::lock_guard lock(state_->mutex);
        auto found = state_->messages.find(id);
        if (found == state_->messages.end() || !found->second.message.held) return false;
        found->second.message.held = false;
        copy = found->second.message;
    }
    if (auto recorded = state_->parts.spool.update(copy); !recorded)
        state_->parts.log.error("spool-failing", recorded.error().text + "; " + id + " is held again after a restart");
    state_->changed();
    return true;
}

void Queue::release(const Batch& batch) {
    {
        std::lock_guard lock(state_->mutex);
        auto found = state_->messages.find(batch.message.id);
        if (found == state_->messages.end()) return;
        for (const auto index : batch.which) found->second.in_flight.erase(batch.message.recipients.at(index).address);
    }
    state_->changed();
}

std::optional<Time> Queue::next_due() const {
    std::optional<Time> next;
    std::lock_guard lock(state_->mutex);
    for (const auto& [id, waiting] : state_->messages)
        for (const auto& one : waiting.message.recipients)
            if (!waiting.message.held && !waiting.in_flight.contains(one.address) &&
                (!next || one.next_attempt < *next))
                next = one.next_attempt;
    return next;
}

void Queue::on_change(std::function<void()> wake) {
    std::lock_guard lock(state_->mutex);
    state_->wake = std::move(wake);
}

void Queue::retry_now() {
    {
        std::lock_guard lock(state_->mutex);
        for (auto& [id, waiting] : state_->messages)
            for (auto& one : waiting.message.recipients)
                one.next_attempt = std::min(one.next_attempt, state_->parts.now());
    }
    state_->changed();
}

std::size_t Queue::size() const {
    std::lock_guard lock(state_->mutex);
    return state_->messages.size();
}

}  // namespace postern::queue
