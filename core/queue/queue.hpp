// What waits, for whom, and when it is tried next. Connections pull: each asks for the next batch of its destination
// while it is warm. Any thread; calls that touch the disk block and are made off the workers (they say so).
#pragma once

#include <base/alarms.hpp>
#include <base/counters.hpp>
#include <base/log.hpp>
#include <compare>
#include <config/settings.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <queue/spool.hpp>
#include <smtp/client_session.hpp>

namespace postern::queue {

struct Undelivered;  // notice.hpp

// Where mail for one recipient goes: what shares a connection and a schedule.
struct Destination {
    std::string route;        // "smtp:CONNECTOR" or "deliver:PROVIDER"
    std::string domain;       // recipient domain
    std::string requirement;  // the strictest of what was stored and what holds now; "" = opportunistic
    auto operator<=>(const Destination&) const = default;
};

// Recipients of one message for one destination, in flight until settled.
struct Batch {
    Destination destination;
    QueuedMessage message;           // a copy
    std::vector<std::size_t> which;  // indexes into message.recipients
    bool clear_allowed = false;      // this attempt goes in clear (opportunistic, once)
};

using Router = std::function<Destination(const QueuedMessage&, const QueuedRecipient&)>;
using RetrySchedule = std::function<config::Retry(const Destination&)>;

class Queue {
public:
    struct Parts {
        Spool& spool;
        Log& log;
        Counters& counters;
        Router router;
        RetrySchedule retry;
        std::string fqdn;  // in notices: Reporting-MTA and sender name
        std::function<Time()> now;
        std::function<void(const QueuedMessage& about, const QueuedMessage& notice)> on_notice;  // one was queued
    };
    explicit Queue(Parts parts);
    ~Queue();

    // Reads the spool at start; blocks.
    Result<void> recover();
    // Commits and schedules; blocks. On failure nothing is kept.
    Result<void> submit(Incoming& incoming, QueuedMessage message);

    // Destinations with something due and nothing claimed beyond their concurrency; the caller opens connections.
    std::vector<Destination> due(Time now);
    std::optional<Batch> claim(const Destination& destination, Time now);
    // One outcome for each of batch.which. Blocks: durable before a recipient is dropped. Notices are made here.
    void settle(const Batch& batch, const std::vector<smtp::RecipientOutcome>& outcomes, std::string_view relay,
                std::string_view tls);
    // Puts it back untried (shutdown, no connection slot).
    void release(const Batch& batch);

    // When due() may next have something; called back (any thread) when that moves earlier.
    std::optional<Time> next_due() const;
    void on_change(std::function<void()> wake);
    // A held message is due again; false: there is none held under that id. Blocks.
    bool release_held(const std::string& id);
    // Everything waiting is due now (after SIGHUP or `queue retry`).
    void retry_now();
    std::size_t size() const;

private:
    bool notify(const QueuedMessage& message, const std::vector<Undelivered>& failed);

    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace postern::queue
