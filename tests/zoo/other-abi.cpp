#include "noted.hpp"
POSTERN_ZOO_NOTE(postern::descriptor_magic, postern::sdk_major, postern::sdk_minor, "clang99-libc++-x64", "other-abi")
