// Where accepted mail lives until it is delivered: the abstract class, and what it stores. A 250 after the data is a
// promise, and this is who keeps it. Nothing outside queue/ assumes how. file_spool.hpp is the reference: one message,
// one file.
#pragma once

#include <base/failure.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <postern/delivery.hpp>
#include <postern/types.hpp>
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
    std::string status, text;  // of the last attempt
    std::string route;         // the send connector that a decider chose; empty: by address space
};

struct QueuedMessage {
    std::string id;  // unique for the life of the spool; also in Received and every log line
    Time received{};
    std::string sender;     // without brackets, empty for <>
    std::string connector;  // receive connector, or "notice"
    std::string session;
    std::uint64_t size = 0;
    bool eight_bit = false;
    bool domain_secured = false;  // marked: a notice about it returns header fields only
    bool held = false;
    std::vector<QueuedRecipient> recipients;  // those still to be delivered
};

// A message on its way in. Discarded unless committed; appends may block on the page cache only.
class Incoming {
public:
    virtual ~Incoming() = default;
    virtual Result<void> append(std::string_view octets) = 0;
    // Durable when it returns (data, name and folder synced). Blocks: never on a worker. Sets message.id's file.
    virtual Result<void> commit(const QueuedMessage& message) = 0;
};

enum class SpoolHealth : std::uint8_t { good, full, failing };

class Spool {
public:
    virtual ~Spool() = default;
    virtual std::string new_id() = 0;
    virtual Result<std::unique_ptr<Incoming>> begin() = 0;
    virtual Result<Ref<MessageSource>> open(const std::string& id) = 0;
    // Durable when they return; block.
    virtual Result<void> update(const QueuedMessage& message) = 0;
    virtual Result<void> remove(const std::string& id) = 0;
    // At start: everything that waits; what cannot be read is set aside and named in `damaged`.
    virtual Result<std::vector<QueuedMessage>> recover(std::vector<std::string>& damaged) = 0;
    virtual SpoolHealth health() const = 0;  // cheap: asked at MAIL
};

}  // namespace postern::queue
