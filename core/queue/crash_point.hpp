// Named places at which a test build ends as if killed, at the n-th passing: POSTERN_CRASH="commit.synced:3". In other
// builds nothing is here. The names stand in docs/spool.md.
#pragma once

#include <string_view>

namespace postern::queue {

#ifdef POSTERN_CRASH_POINTS
void crash_point(std::string_view name);
#else
inline void crash_point(std::string_view) {}
#endif

}  // namespace postern::queue
