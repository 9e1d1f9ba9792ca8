// What waits, for whom, and when it is tried next. Connections pull: each asks for the next batch of its destination
// while it is warm. Any thread; nothing waits for the disk here but what says so. schedule.hpp decides who is due,
// queue_settle.cpp what an outcome means, queue_verbs.hpp what an administrator may do.
#pragma once

#include <base/alarms.hpp>
#include <base/counters.hpp>
#include <base/log.hpp>
#include <config/settings.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <queue/schedule.hpp>
#include <queue/spool.hpp>
#include <smtp/client_session.hpp>

namespace postern::queue {

struct Reported;  // notice.hpp
struct Settled;

// Recipients of one message for one destination, in flight until settled.
struct Batch {
    Destination destination;
    QueuedMessage message;           // a copy
    std::vector<std::size_t> which;  // indexes into message.recipients
    bool clear_allowed = false;      // this attempt goes in clear (opportunistic, once)
    std::uint64_t claim = 0;         // the queue's
};

using Router = std::function<Destination(const QueuedMessage&, const QueuedRecipient&)>;
using RetrySchedule = std::function<config::Retry(const Destination&)>;

class Queue {
public:
    struct Parts {
        Spool& spool;
        Log& log;
        Counters& counters;
        Router router;  // looks at the recipient's domain, requirement and route alone
        RetrySchedule retry;
        std::string fqdn;  // in notices: Reporting-MTA and sender name
        std::function<Time()> now;
        std::function<void(const QueuedMessage& about, const QueuedMessage& notice)> on_notice;  // one was queued
        std::function<void(std::function<void()>)> offload =
            {};  // runs what reads the disk for a notice; empty: at once
        // By LMTP or into a mailbox: nobody behind it reports on success.
        std::function<bool(const Destination&)> is_final = [](const Destination&) { return false; };
        // Messages a minute there; 0: as many as it takes.
        std::function<std::size_t(const Destination&)> rate = [](const Destination&) { return std::size_t{0}; };
    };
    explicit Queue(Parts parts);
    ~Queue();

    // Reads the spool at start; blocks.
    Result<void> recover();
    // Commits and schedules, then calls `done`, on a thread of the spool's. On failure nothing is kept.
    void submit(std::unique_ptr<Incoming> incoming, QueuedMessage message, Done done);
    Result<void> submit_and_wait(std::unique_ptr<Incoming> incoming, QueuedMessage message);  // blocks

    // Destinations with something due, the longest due first, until `call` says false; how much waits there at most.
    // The caller opens connections. Nothing of the queue's may be called from within.
    void due(Time now, const std::function<bool(const Destination&, std::size_t)>& call) const;
    std::vector<Destination> due(Time now) const;
    // May read the disk where the envelope has not been used for long.
    std::optional<Batch> claim(const Destination& destination, Time now);
    // One outcome for each of batch.which; `done` is called when they are durable: only then is a recipient dropped.
    // Notices are made here. `relay` "none": no host took the batch.
    void settle(const Batch& batch, const std::vector<smtp::RecipientOutcome>& outcomes, const std::string& relay,
                const std::string& tls, std::function<void()> done);
    void settle_and_wait(const Batch& batch, const std::vector<smtp::RecipientOutcome>& outcomes,
                         const std::string& relay, const std::string& tls);  // blocks
    // Puts it back untried (shutdown, no connection slot).
    void release(const Batch& batch);

    // No host of it took anything: nothing is tried there for a while, whatever comes in for it; then one message,
    // until one gets through. What has waited so long that its sender is to be told, claim_overdue() gives meanwhile.
    void put_off(const Destination& destination, const std::string& why);
    std::optional<Batch> claim_overdue(const Destination& destination, Time now);

    // When a destination becomes due that is not yet; called back (any thread) when that moves earlier.
    std::optional<Time> next_due() const;
    void on_change(std::function<void()> wake);
    // Everything waiting is due now and is led where the configuration in force says (after SIGHUP).
    void retry_now();
    std::size_t size() const;

private:
    friend class QueueVerbs;
    struct State;
    void record(const std::shared_ptr<Settled>& settled);
    void notify(const QueuedMessage& message, const std::vector<Reported>& reports, std::function<void(bool)> told);

    std::unique_ptr<State> state_;
};

}  // namespace postern::queue
