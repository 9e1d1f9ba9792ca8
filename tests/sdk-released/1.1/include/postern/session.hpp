// What a decider, an observer or a delivery agent may see of a session and its message. Implemented by the host;
// append only. A view is valid during the call that passed it, on that thread.
#pragma once

#include <postern/tls.hpp>
#include <postern/trust.hpp>
#include <postern/types.hpp>

namespace postern {

class Session {
public:
    virtual ~Session() = default;
    virtual std::string_view id() const = 0;  // 16 upper-case hex digits, as in the protocol log
    virtual std::string_view connector() const = 0;
    virtual std::string_view remote_address() const = 0;  // literal, without port
    virtual std::string_view helo() const = 0;            // as given with EHLO or HELO, or empty
    virtual const TlsFacts* tls() const = 0;              // null in clear
    virtual bool outbound() const = 0;
};

class Envelope {
public:
    virtual ~Envelope() = default;
    virtual std::string_view sender() const = 0;         // without brackets; empty for <>
    virtual std::string_view sender_domain() const = 0;  // canonical, or empty
    virtual std::size_t recipients() const = 0;
    virtual std::string_view recipient(std::size_t) const = 0;
    virtual std::string_view recipient_domain(std::size_t) const = 0;
};

// A queued message's bytes, header section first, CRLF line ends, not dot-stuffed.
class MessageReader {
public:
    virtual ~MessageReader() = default;
    virtual std::uint64_t size() const = 0;
    // Up to into.size() octets; 0 at the end; nothing when the storage failed.
    virtual std::optional<std::size_t> read(std::span<std::uint8_t> into) = 0;
};

}  // namespace postern
