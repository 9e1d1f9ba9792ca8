// A descriptor with a fault of one's choice; the constructor beside it tells whether dlopen was reached.
#pragma once

#include <cstdlib>
#include <postern/plugin.hpp>

#define POSTERN_ZOO_NOTE(magic, major, minor, abi, name)                            \
    extern "C" __attribute__((section(".note.postern"), used, aligned(4)))          \
    const ::postern::PluginNote zoo_note = {sizeof(::postern::note_name),           \
                                            sizeof(::postern::PluginDescriptor),    \
                                            ::postern::note_type,                   \
                                            "Postern",                              \
                                            {magic, major, minor, abi, name, "1"}}; \
    namespace {                                                                     \
    struct Constructed {                                                            \
        Constructed() { ::setenv("POSTERN_ZOO_CONSTRUCTED", name, 1); }             \
    } constructed;                                                                  \
    }
