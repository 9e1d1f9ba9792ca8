#include <tls-mutual/store/expiry.hpp>

namespace postern::tls_mutual {

std::optional<int> expiry_step(Time not_after, Time now) {
    if (not_after <= now) return 0;
    std::optional<int> reached;
    for (const int days : warning_days)
        if (not_after - now <= std::chrono::hours(24 * days)) reached = days;
    return reached;
}

}  // namespace postern::tls_mutual
