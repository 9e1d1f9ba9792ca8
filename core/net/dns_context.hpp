// One libunbound context on an event loop (ub_ctx_async: a thread of its own, no fork): questions in, records out, with
// what DNSSEC says of them. Knows no mail; what to make of a bogus answer is the resolver's to say.
#pragma once

#include <config/settings.hpp>
#include <memory>
#include <net/asio.hpp>
#include <postern/pending.hpp>
#include <string>
#include <vector>

namespace postern::net {

struct DnsRecords {
    int rcode = 0;
    std::vector<std::string> data;  // RDATA octets, names uncompressed
    std::string canonical;          // where CNAMEs led from the name that was asked about, lower case; or empty
    std::string bogus;              // empty: it validated, is unsigned, or nobody validates; else why it does not
};

class DnsContext {
public:
    enum class Validates : bool { no, yes };
    DnsContext(asio::io_context& loop, const config::Resolver& settings, Validates validates);
    ~DnsContext();

    // From any executor. "4.4.3" where no answer came in time, or one that is neither data nor NXDOMAIN.
    awaitable<Outcome<DnsRecords>> ask(std::string name, int type, std::chrono::milliseconds time);

private:
    struct State;
    std::shared_ptr<State> state_;
};

// What is wrong with a file of trust anchors (DS and DNSKEY records), or nothing. libunbound takes a file without any
// and an anchor whose algorithm it does not know, and then validates nothing: both are faults here.
std::string trust_anchor_fault(const std::string& file);

}  // namespace postern::net
