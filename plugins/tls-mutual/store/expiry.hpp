// When to speak of a certificate's end: at 30, 14, 7 and 1 days, once each; an alarm from 14 days on. One that lives
// for days alone is renewed all the time: no step longer than its life counts, and the alarm is for its last third.
// Pure.
#pragma once

#include <map>
#include <postern/types.hpp>
#include <string>

namespace postern::tls_mutual {

inline constexpr int warning_days[] = {30, 14, 7, 1};
inline constexpr std::chrono::hours alarm_before{14 * 24};

struct Life {
    Time begins{}, ends{};
};

// The step that was reached: the least of warning_days that is not below the days left, 0 after the end; nothing before
// the first.
std::optional<int> expiry_step(Life life, Time now);
bool expiry_alarms(Life life, Time now);

// "ends within 7 days, on 2026-10-02", "ended on 2026-10-02".
std::string expiry_text(int step, Time not_after);

// Which steps were told already, by whatever names a certificate.
class ToldSteps {
public:
    // The step that is reached now, where it was not told yet.
    std::optional<int> next(const std::string& certificate, Life life, Time now);
    void forget(const std::string& certificate) { told_.erase(certificate); }

private:
    std::map<std::string, int> told_;
};

}  // namespace postern::tls_mutual
