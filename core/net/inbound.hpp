// One inbound session: drives the ServerSession machine with a socket, TLS, policy and the spool. The only place where
// receiving meets I/O; what is said is the machine's, what is allowed is InboundPolicy's.
#pragma once

#include <net/inbound_policy.hpp>
#include <net/services.hpp>
#include <net/stream.hpp>

namespace postern::net {

// What the acceptor tells a session, and a session the acceptor.
struct Admission {
    const std::atomic<bool>& draining;
    const std::atomic<bool>& crowded;
    // At most once: the peer proved that it is a listed domain's, or a server of ours. Limits a source do not count it.
    std::function<void()> verified;
};

// Runs to the end of the connection; on the worker's loop.
awaitable<void> receive(Services& services, Worker& worker, tcp::socket socket, std::string connector,
                        Admission admission);

// 421 and close, for limits that are met before a session begins.
awaitable<void> turn_away(tcp::socket socket, std::string fqdn, std::string why);

}  // namespace postern::net
