// Which certificates listed domains showed lately: the event partner_certificate is told when one is judged that was
// not within the last hour, so that who watches expiry and revocation is not woken by each message. Bounded; any
// thread.
#pragma once

#include <net/services.hpp>
#include <policy/evidence.hpp>

namespace postern::net {

class PartnerCertificates {
public:
    static constexpr std::size_t most = 20000;
    static constexpr std::chrono::hours between{1};

    // True once an hour for the same key.
    bool due(const std::string& key, std::chrono::steady_clock::time_point now);

private:
    std::mutex mutex_;
    std::map<std::string, std::chrono::steady_clock::time_point> next_;
};

struct PartnerSighting {
    std::string_view entry, domain, connector, host;  // host: outbound alone
};

// Nothing where the domain is not listed, or the certificate was not the partner's.
void tell_of_certificate(const Services& services, const PartnerSighting& where, const policy::Evidence& evidence,
                         const policy::Outcome& outcome);

}  // namespace postern::net
