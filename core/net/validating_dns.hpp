// What `resolver { dnssec off|log|on }` makes of answers (RFC 4033 to 4035): `on` uses no bogus one, `log` tells of it
// and uses it, `off` never asks. Any thread; knows nothing of what is asked.
#pragma once

#include <base/counters.hpp>
#include <base/log.hpp>
#include <mutex>
#include <net/dns_context.hpp>
#include <optional>
#include <set>

namespace postern::net {

class ValidatingDns {
public:
    ValidatingDns(asio::io_context& loop, const config::Resolver& settings, Log& log, Counters& counters);

    // "4.4.3" also for what is bogus and may not be used. `type` names the question in sentences: "MX".
    awaitable<Outcome<DnsRecords>> ask(std::string name, int number, std::string type, std::chrono::milliseconds time);

private:
    awaitable<Outcome<DnsRecords>> ask_all_the_same(std::string name, int number, std::string type,
                                                    std::chrono::milliseconds time);
    void tell(const std::string& name, const std::string& type, const std::string& why);

    const config::Dnssec dnssec_;
    Log& log_;
    Counters& counters_;
    std::optional<DnsContext> plain_, validating_;
    std::string anchor_fault_;
    std::mutex mutex_;
    std::set<std::string> told_;  // until then the same is not said again
    Deadline told_until_{};
};

}  // namespace postern::net
