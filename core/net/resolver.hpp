// Where mail for a domain goes, as DNS has it: MX with its rules (RFC 5321 5.1, RFC 7505), A and AAAA; and records as
// texts for scripts. Knows no libunbound (dns_context.hpp) and not what validates (validating_dns.hpp). Call from any
// executor.
#pragma once

#include <net/validating_dns.hpp>

namespace postern::net {

struct MxHost {
    std::uint16_t preference = 0;
    std::string name;
};

using Addresses = std::vector<asio::ip::address>;

class Resolver {
public:
    Resolver(asio::io_context& loop, const config::Resolver& settings, Log& log, Counters& counters)
        : dns_(loop, settings, log, counters) {}

    // In order of preference, equals shuffled; the domain itself where it has no MX. Failure tokens are enhanced codes:
    // "5.1.2" no such domain, "5.1.10" null MX, "4.4.3" no answer, or none that may be used.
    awaitable<Outcome<std::vector<MxHost>>> mail_hosts(std::string domain);
    // Of each host, in the same order; both families, literals included. "5.4.4" none, "4.4.3" no answer. All are asked
    // at once, and when one has answered the others have little time left: a name server that hangs delays nobody else.
    awaitable<std::vector<Outcome<Addresses>>> addresses(std::vector<std::string> hosts);

    // Records as texts: "10 mail1.example.org" for MX, TXT with its strings joined. `type`: A AAAA CNAME MX NS PTR TXT.
    // Failure tokens: "nxdomain", "no-data", "dns-failed".
    awaitable<Outcome<std::vector<std::string>>> records(std::string name, std::string type,
                                                         std::chrono::milliseconds time);

private:
    struct Gathering;
    awaitable<void> gather(std::shared_ptr<Gathering> into, std::size_t number, std::string host, bool six);

    ValidatingDns dns_;
};

}  // namespace postern::net
