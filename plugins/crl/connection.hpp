// One connection to a directory: opened without blocking to an address that was checked, in TLS where asked for, every
// read and write ended by one deadline, a bounded number of octets in all. Knows no LDAP.
#pragma once

#include <crl/lookup.hpp>
#include <memory>

namespace postern::crl {

// Which certificates an ldaps server may prove itself with: the system's roots, and those of files.
class TlsTrust {
public:
    virtual ~TlsTrust() = default;
    // The failure names the file.
    static Outcome<std::shared_ptr<const TlsTrust>> load(const std::vector<std::string>& files);
};

class Connection {
public:
    virtual ~Connection() = default;

    // The first address that answers; the failure tells of each.
    static Outcome<std::unique_ptr<Connection>> open(const std::vector<SocketAddress>& addresses, const Limits& limits);
    // `host` is what the certificate must name. Empty, or why not; the connection is of no use then.
    virtual std::string start_tls(const std::string& host, std::shared_ptr<const TlsTrust> trust) = 0;

    // As read(2) and write(2), but that they wait; -1 with fault() once time, octets or the peer's patience ended.
    virtual long read(void* into, std::size_t size) = 0;
    virtual long write(const void* from, std::size_t size) = 0;
    virtual const std::string& fault() const = 0;
    virtual bool heard() const = 0;  // anything at all came

    virtual void allow_octets(std::uint64_t most) = 0;
    virtual int descriptor() const = 0;
    virtual std::string peer() const = 0;  // "192.0.2.1:389"
};

}  // namespace postern::crl
