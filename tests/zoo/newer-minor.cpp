#include "noted.hpp"
POSTERN_ZOO_NOTE(postern::descriptor_magic, postern::sdk_major, postern::sdk_minor + 1, POSTERN_ABI_TAG, "newer-minor")
