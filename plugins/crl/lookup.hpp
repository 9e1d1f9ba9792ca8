// A host's addresses by the system's resolver, which can only block: asked on a thread of its own, so that who waits
// keeps to its deadline. Nothing is judged here; see postern/fetch_rules.hpp for that.
#pragma once

#include <sys/socket.h>

#include <crl/waiting.hpp>
#include <postern/pending.hpp>

namespace postern::crl {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    BytesView octets() const;  // 4 or 16; empty for other families
    std::string text() const;  // "192.0.2.1:389", "[2001:db8::1]:389"
};

// At most 16 addresses. The failure's text is one sentence without the host.
Outcome<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port, const Limits& limits);

}  // namespace postern::crl
