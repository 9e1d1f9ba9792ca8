// The reasons for which a listed domain's mail does not pass: one row a token, with the reply it is given inbound and
// who can mend it. Temporary where time or an operator can mend it, permanent where the peer proved to be someone else
// or did not try what was offered. The same tokens label counters, logs, notices and --json.
#pragma once

#include <policy/partner.hpp>
#include <postern/types.hpp>
#include <string>
#include <string_view>

namespace postern::policy {

struct FaultRow {
    std::string_view token;
    std::uint16_t code;
    std::string_view enhanced;
    std::string_view next_step;  // what the one who can mend it does; part of the log line
};

// Unknown tokens (a plugin's own) are answered like plugin-failed: 451 4.3.0.
const FaultRow& fault_row(std::string_view token);

struct Fault {
    std::string token;     // empty: no fault
    std::string sentence;  // plain words; certificate details only for the one who presented it
    explicit operator bool() const { return !token.empty(); }
};

// The reply at MAIL: "454 4.7.5 no-certificate: woodgrovebank.com ... (session 08C895F533E837EC)".
Reply reply_to(const Fault& fault, const Partner& partner, std::string_view domain, std::string_view session);

// The one reply to a decider that failed, native or script. `domain` may be empty.
Verdict policy_failed(std::string_view domain, std::string_view session);

}  // namespace postern::policy
