// How many steps Lua's matcher can take at worst for a pattern on a subject. Its backtracking runs in C, where no hook
// interrupts it: twelve nested `.-` ran for over two minutes. So the worst case is bounded before the call.
#pragma once

#include <cstddef>
#include <string_view>

namespace postern::script {

// A step is 1 to 5 ns; the worst found patterns of this cost take 20 to 60 ms (tests/unit/script/pattern_cost.cpp
// measures them). A path of 320 octets may meet three repetitions when anchored, two when not.
constexpr double most_steps = 1e7;

// `anchored`: "^" means the start (not so in gmatch). Never too low; for patterns that Lua refuses any number will do.
double pattern_steps(std::string_view pattern, std::size_t subject, bool anchored);

}  // namespace postern::script
