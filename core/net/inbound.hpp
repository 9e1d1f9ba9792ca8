// One inbound session: drives the ServerSession machine with a socket, TLS, policy and the spool. The only place where
// receiving meets I/O; what is said is the machine's, what is allowed is InboundPolicy's.
#pragma once

#include <net/inbound_policy.hpp>
#include <net/services.hpp>
#include <net/stream.hpp>

namespace postern::net {

// Runs to the end of the connection; on the worker's loop.
awaitable<void> receive(Services& services, Worker& worker, tcp::socket socket, std::string connector,
                        const std::atomic<bool>& draining);

// 421 and close, for limits that are met before a session begins.
awaitable<void> turn_away(tcp::socket socket, std::string fqdn, std::string why);

}  // namespace postern::net
