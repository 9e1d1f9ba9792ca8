// Where accepted mail lives until it is delivered: the abstract class, and what it stores. A 250 after the data is a
// promise, and this is who keeps it. Nothing outside queue/ assumes how: log_spool.hpp is what runs, file_spool.hpp the
// reference (one message, one file).
#pragma once

#include <base/failure.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <postern/delivery.hpp>
#include <postern/types.hpp>
#include <queue/message_id.hpp>
#include <string>
#include <vector>

namespace postern::queue {

struct QueuedRecipient {
    std::string address;  // local-part@canonical domain
    std::string domain;
    std::string requirement;  // policy::to_text of what was demanded when it was queued; never lowered by itself
    unsigned attempts = 0;
    Time next_attempt{};
    bool clear_next = false;  // opportunistic TLS failed: the next attempt may go once in clear
    bool delay_notified = false;
    std::string status, text;       // of the last attempt
    std::string route;              // the send connector that a decider chose; empty: by address space
    bool hold_late_reject = false;  // of an accepted domain: refused for good it is held, its sender unproven
    bool held = false;              // so it is; waits for `postern queue release`
    std::string notify, orcpt;      // RFC 3461 4, as they are passed on: "SUCCESS,FAILURE", "rfc822;bob+40contoso.com"
};

struct QueuedMessage {
    std::string id;  // unique for the life of the spool; also in Received and every log line
    Time received{};
    std::string sender;     // without brackets, empty for <>
    std::string connector;  // receive connector, or "notice"
    std::string session;
    std::string message_id;  // of its header, for the log line at its arrival alone: not stored
    std::uint64_t size = 0;
    bool eight_bit = false;         // 8-bit octets are in it
    bool eight_bit_header = false;  // some of them in the header section
    bool binary = false;            // BODY=BINARYMIME: lines mean nothing in its body
    bool smtputf8 = false;          // its sender asked for SMTPUTF8
    std::string ret, envid;         // RFC 3461 4, as they are passed on: "FULL" or "HDRS", xtext
    bool known_sender = false;      // of one of our domains: notices may go to it
    bool domain_secured = false;    // marked: a notice about it returns header fields only
    bool held = false;
    std::vector<QueuedRecipient> recipients;  // those still to be delivered
};

// All that the schedule keeps of a message that merely waits; the envelope stays in the spool.
struct Waiting {
    struct Due {
        std::string domain, requirement, route;
        Time next_attempt{};  // the earliest of the recipients that go this way
    };
    std::string id;
    Time received{};
    bool held = false;
    std::vector<Due> due;  // one a way
};
Waiting waiting_of(const QueuedMessage& message);

// Called once, on a thread of the spool's: it hands on and returns. Without a value: nothing was kept.
using Done = std::function<void(Result<void>)>;

// A message on its way in. Discarded unless committed; appends may block on the page cache only.
class Incoming {
public:
    virtual ~Incoming() = default;
    virtual Result<void> append(std::string_view octets) = 0;
    // Durable when `done` is told so (data, name and folder synced). Does not block; nothing is appended afterwards.
    virtual void commit(const QueuedMessage& message, Done done) = 0;
};

enum class SpoolHealth : std::uint8_t { good, full, failing };

// A stored message's octets. What the page cache holds need not be asked for on a thread that may block.
class StoredBody : public MessageSource {
public:
    // As read_at, but only if all of `into` can be had without waiting for the disk; false: ask read_at().
    virtual bool read_at_once(std::uint64_t offset, std::span<std::uint8_t> into) {
        (void)offset, (void)into;
        return false;
    }
};

class Spool {
public:
    virtual ~Spool() = default;
    virtual std::string new_id() = 0;
    virtual Result<std::unique_ptr<Incoming>> begin() = 0;
    // The octets. Nothing is read before the first read_at, which may block and fails where the octets are not whole.
    virtual Result<Ref<StoredBody>> open(const std::string& id) = 0;
    // The octets where they lie in memory, so that reading them waits for nothing; null where they do not.
    virtual Ref<StoredBody> at_hand(const std::string&) { return {}; }
    // The envelope; reads the disk where it is not cached.
    virtual Result<QueuedMessage> load(const std::string& id) = 0;
    // Of one message in the order of the calls; durable when `done` is told so. Do not block.
    virtual void update(const QueuedMessage& message, Done done) = 0;
    virtual void remove(const std::string& id, Done done) = 0;
    // What is stored now, the oldest first; a failure where that cannot be read now.
    virtual Result<std::vector<MessageKey>> keys() const = 0;
    // At start, once: `found` is called for everything that waits; what cannot be read is set aside and named in
    // `damaged`.
    virtual Result<void> recover(const std::function<void(Waiting)>& found, std::vector<std::string>& damaged) = 0;
    virtual SpoolHealth health() const = 0;  // cheap: asked at MAIL
};

// For whoever may block: the calls above, awaited.
Result<void> commit_and_wait(Incoming& incoming, const QueuedMessage& message);
Result<void> update_and_wait(Spool& spool, const QueuedMessage& message);
Result<void> remove_and_wait(Spool& spool, const std::string& id);

}  // namespace postern::queue
