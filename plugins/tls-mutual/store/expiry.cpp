#include <algorithm>
#include <tls-mutual/store/expiry.hpp>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {

// Dates may stand at the ends of what Time can hold: their difference might not fit, one date less a month does.
std::optional<int> expiry_step(Life life, Time now) {
    if (life.ends <= now) return 0;
    std::optional<int> reached;
    for (const int days : warning_days) {
        const std::chrono::hours step(24 * days);
        if (life.ends - now <= step && life.begins < life.ends - step) reached = days;
    }
    return reached;
}

bool expiry_alarms(Life life, Time now) {
    using Seconds = std::chrono::duration<double>;
    const auto whole = Seconds(life.ends.time_since_epoch()) - Seconds(life.begins.time_since_epoch());
    return life.ends - now <= std::min<Seconds>(alarm_before, whole / 3);
}

std::string expiry_text(int step, Time not_after) {
    return (step == 0 ? "ended on " : "ends within " + std::to_string(step) + " days, on ") + utc_day(not_after);
}

std::optional<int> ToldSteps::next(const std::string& certificate, Life life, Time now) {
    const auto step = expiry_step(life, now);
    if (!step) return std::nullopt;
    const auto [told, fresh] = told_.try_emplace(certificate, *step);
    if (!fresh && told->second <= *step) return std::nullopt;
    told->second = *step;
    return step;
}

}  // namespace postern::tls_mutual
