// What deciders say about a delivery on its way out: the events route, outbound_requirement, outbound_connect,
// outbound_ehlo and peer_judged, each with the connection and the batch as views.
#pragma once

#include <net/deciding.hpp>

namespace postern::net {

// What the views show; everything outlives the question.
struct OutboundFacts {
    const queue::Batch* batch = nullptr;
    std::string connector, entry, session_id, remote_address;
    const TlsFacts* tls = nullptr;
};

awaitable<Asked> ask_outbound(const Services& services, Worker& worker, std::shared_ptr<const Generation> generation,
                              Event event, const OutboundFacts& facts, std::vector<Detail> details);

// Why a delivery or host is not to be used after that answer; nothing where it may go on. `listed` as in Asked::defers.
std::optional<smtp::ClientFailure> refusal_of(const Asked& asked, bool listed);

}  // namespace postern::net
