// DNS by libunbound, asynchronous on one event loop (ub_ctx_async without a fork): MX with its rules (RFC 5321 5.1,
// RFC 7505), A and AAAA. Call from any executor: the question is asked on the resolver's own.
#pragma once

#include <config/settings.hpp>
#include <memory>
#include <net/asio.hpp>
#include <postern/pending.hpp>
#include <string>
#include <vector>

namespace postern::net {

struct MxHost {
    std::uint16_t preference = 0;
    std::string name;
};

class Resolver {
public:
    Resolver(asio::io_context& loop, const config::Resolver& settings);
    ~Resolver();

    // In order of preference, equals shuffled; the domain itself where it has no MX. Failure tokens are enhanced codes:
    // "5.1.2" no such domain, "5.1.10" null MX, "4.4.3" no answer.
    awaitable<Outcome<std::vector<MxHost>>> mail_hosts(std::string domain);
    // Both families, literals included. "5.4.4" none, "4.4.3" no answer.
    awaitable<Outcome<std::vector<asio::ip::address>>> addresses(std::string host);

    // Records as texts: "10 mail1.example.org" for MX, TXT with its strings joined. `type`: A AAAA CNAME MX NS PTR TXT.
    // Failure tokens: "nxdomain", "no-data", "dns-failed".
    awaitable<Outcome<std::vector<std::string>>> records(std::string name, std::string type,
                                                         std::chrono::milliseconds time);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace postern::net
