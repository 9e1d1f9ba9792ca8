// A shared object without a descriptor. Its constructor must never run.
#include <cstdlib>

namespace {
struct Constructed {
    Constructed() { ::setenv("POSTERN_ZOO_CONSTRUCTED", "nothing", 1); }
} constructed;
}  // namespace
