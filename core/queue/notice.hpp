// A plain failure notice to the sender (RFC 5321 6.1): which recipients, the true cause, what was sent. Pure text.
#pragma once

#include <queue/spool.hpp>
#include <string>
#include <string_view>

namespace postern::queue {

struct Undelivered {
    std::string recipient, status, text, token;
};

// `original`: the message's octets, or of a domain-secured one the header section only.
std::string failure_notice(const QueuedMessage& message, const std::vector<Undelivered>& failed, std::string_view fqdn,
                           std::string_view notice_id, Time now, std::string_view original);

std::string rfc5322_date(Time time);

}  // namespace postern::queue
