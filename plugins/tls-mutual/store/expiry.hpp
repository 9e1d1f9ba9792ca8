// When to speak of a certificate's end: at 30, 14, 7 and 1 days, once each. Pure.
#pragma once

#include <postern/types.hpp>

namespace postern::tls_mutual {

inline constexpr int warning_days[] = {30, 14, 7, 1};

// The step that was reached: the least of warning_days that is not below the days left, 0 after the end; nothing before
// the first.
std::optional<int> expiry_step(Time not_after, Time now);

}  // namespace postern::tls_mutual
