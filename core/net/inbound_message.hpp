// One message on its way from a session into the spool: header marked, body streamed, committed off the loop.
#pragma once

#include <net/inbound_policy.hpp>
#include <net/marks.hpp>

namespace postern::net {

class InboundMessage {
public:
    InboundMessage(Services& services, Worker& worker) : services_(services), worker_(worker) {}

    // Each answers the machine by itself: stored, failed or committed.
    awaitable<void> header(const SessionFacts& session, InboundPolicy& policy, smtp::ServerSession& machine);
    void body(smtp::ServerSession& machine);
    awaitable<void> commit(const SessionFacts& session, InboundPolicy& policy, smtp::ServerSession& machine);
    void discard();

private:
    bool store(std::string_view octets, smtp::ServerSession& machine);
    awaitable<queue::QueuedMessage> envelope(const SessionFacts& session, const InboundPolicy& policy,
                                             const smtp::ServerSession& machine) const;

    void begin(const SessionFacts& session, const TransactionPolicy& policy, smtp::ServerSession& machine,
               std::string_view header);
    // False: the machine has its answer, and nothing is to be committed.
    awaitable<bool> decide(const SessionFacts& session, InboundPolicy& policy, smtp::ServerSession& machine);
    void count(const SessionFacts& session, const TransactionPolicy& policy);

    Services& services_;
    Worker& worker_;
    std::string header_;               // kept where somebody is asked about the whole message
    std::optional<std::string> hold_;  // why it is held
    std::string reroute_;              // the send connector that takes it
    std::unique_ptr<queue::Incoming> incoming_;
    std::string id_, message_id_;
    std::uint64_t size_ = 0;
    bool eight_bit_header_ = false;
};

}  // namespace postern::net
