// One message on its way from a session into the spool: header marked, body streamed, committed off the loop.
#pragma once

#include <net/inbound_policy.hpp>
#include <net/marks.hpp>

namespace postern::net {

class InboundMessage {
public:
    explicit InboundMessage(Services& services) : services_(services) {}

    // Each answers the machine by itself: stored, failed or committed.
    void header(const SessionFacts& session, const TransactionPolicy& policy, smtp::ServerSession& machine);
    void body(smtp::ServerSession& machine);
    awaitable<void> commit(const SessionFacts& session, const InboundPolicy& policy, smtp::ServerSession& machine);
    void discard();

private:
    bool store(std::string_view octets, smtp::ServerSession& machine);
    queue::QueuedMessage envelope(const SessionFacts& session, const InboundPolicy& policy,
                                  const smtp::ServerSession& machine) const;

    Services& services_;
    std::unique_ptr<queue::Incoming> incoming_;
    std::string id_;
    std::uint64_t size_ = 0;
    bool eight_bit_ = false;
};

}  // namespace postern::net
