// What a plugin file says of itself before any of its code runs.
//
// The descriptor is an ELF note. The host reads it from the open file *before* dlopen, because dlopen already runs
// constructors; it survives hidden visibility and the version script. Put POSTERN_PLUGIN(...) into exactly one
// translation unit of a plugin. Start reading at plugin.hpp.
#pragma once

#include <cstdint>

namespace postern {

// A plugin loads when its major equals the host's and its minor is not above the host's.
inline constexpr std::uint16_t sdk_major = 1;
inline constexpr std::uint16_t sdk_minor = 1;

// Everything that decides whether two object files agree on the layout of what crosses: compiler family ABI, the
// standard library's string ABI, and the sanitizer build (an ASan host and a plain plugin do not share a heap).
#if defined(__SANITIZE_ADDRESS__)
#define POSTERN_ABI_SANITIZER "+asan"
#elif defined(__SANITIZE_THREAD__)
#define POSTERN_ABI_SANITIZER "+tsan"
#else
#define POSTERN_ABI_SANITIZER ""
#endif
#define POSTERN_ABI_TAG "gxx17-libstdcxx11-x64" POSTERN_ABI_SANITIZER

inline constexpr char note_name[8] = "Postern";         // 7 letters and NUL: the ELF note's owner
inline constexpr std::uint32_t note_type = 0x504f5354;  // "POST"
inline constexpr std::uint32_t descriptor_magic = 0x4e525450;

// The payload of the note; fixed size, NUL-padded text, native byte order.
struct PluginDescriptor {
    std::uint32_t magic;
    std::uint16_t sdk_major;
    std::uint16_t sdk_minor;
    char abi[48];
    char name[32];
    char version[24];
};
static_assert(sizeof(PluginDescriptor) == 112);

struct PluginNote {
    std::uint32_t name_size;
    std::uint32_t descriptor_size;
    std::uint32_t type;
    char name[8];
    PluginDescriptor descriptor;
};
static_assert(sizeof(PluginNote) == 12 + 8 + 112);

}  // namespace postern

// The one exported symbol of a plugin (see plugin.hpp for its type).
#define POSTERN_ENTRY_SYMBOL "postern_plugin_entry"

#define POSTERN_PLUGIN(plugin_name, plugin_version)                                                             \
    extern "C" __attribute__((section(".note.postern"), used, aligned(4)))                                      \
    const ::postern::PluginNote postern_plugin_note = {                                                         \
        sizeof(::postern::note_name),                                                                           \
        sizeof(::postern::PluginDescriptor),                                                                    \
        ::postern::note_type,                                                                                   \
        "Postern",                                                                                              \
        {::postern::descriptor_magic, ::postern::sdk_major, ::postern::sdk_minor, POSTERN_ABI_TAG, plugin_name, \
         plugin_version}}
