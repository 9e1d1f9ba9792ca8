#include "noted.hpp"
POSTERN_ZOO_NOTE(postern::descriptor_magic, postern::sdk_major, postern::sdk_minor, POSTERN_ABI_TAG, "somebody-else")
