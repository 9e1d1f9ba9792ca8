#include "noted.hpp"
POSTERN_ZOO_NOTE(1, postern::sdk_major, postern::sdk_minor, POSTERN_ABI_TAG, "wrong-magic")
