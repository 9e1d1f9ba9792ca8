#include "noted.hpp"
POSTERN_ZOO_NOTE(postern::descriptor_magic, postern::sdk_major + 1, 0, POSTERN_ABI_TAG, "other-major")
