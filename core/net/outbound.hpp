// Deliveries: one coroutine a connection pulls the batches of its destination from the queue while it is warm. Drives
// the ClientSession machine; judges the peer against the recipient domain before anything of the envelope travels.
#pragma once

#include <net/services.hpp>

namespace postern::net {

// Route names of queue::Destination.
inline constexpr std::string_view smtp_route = "smtp:", provider_route = "deliver:";

// Claims and settles until nothing of this destination is due. On a worker's loop.
awaitable<void> deliver(Services& services, Worker& worker, queue::Destination destination);

// Where a recipient goes under this generation, and what that demands (stored and present, the strictest).
queue::Destination route(const Generation& generation, const queue::QueuedRecipient& recipient);

}  // namespace postern::net
