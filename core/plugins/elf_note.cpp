#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <plugins/elf_note.hpp>
#include <vector>

namespace postern::plugins {

namespace {

constexpr std::size_t largest_note = 4096, most_sections = 1024;

template <class T>
bool read_at(int file, std::uint64_t offset, T& into) {
    return ::pread(file, &into, sizeof into, static_cast<off_t>(offset)) == static_cast<ssize_t>(sizeof into);
}

Problem bad(std::string why) { return {"plugin-refused", std::move(why)}; }

}  // namespace

Result<PluginDescriptor> read_descriptor(int file) {
    Elf64_Ehdr header;
    if (!read_at(file, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64)
        return bad("is no 64-bit shared object; build it for this machine");
    if (header.e_shnum == 0 || header.e_shnum > most_sections || header.e_shentsize != sizeof(Elf64_Shdr))
        return bad("has no readable section table; do not strip section headers");
    std::optional<PluginDescriptor> found;  // every section is looked at: the symbols may stand behind the note
    for (unsigned i = 0; i < header.e_shnum; ++i) {
        Elf64_Shdr section;
        if (!read_at(file, header.e_shoff + i * sizeof section, section)) return bad("is cut short; install it again");
        if (section.sh_type == SHT_DYNSYM) {
            // A unique symbol binds to whoever was loaded first: two versions of a plugin would share it.
            for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size && at < (64u << 20);
                 at += sizeof(Elf64_Sym)) {
                Elf64_Sym symbol;
                if (!read_at(file, section.sh_offset + at, symbol)) return bad("is cut short; install it again");
                if (ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE)
                    return bad("has STB_GNU_UNIQUE symbols; build it with -fno-gnu-unique");
            }
        }
        if (section.sh_type != SHT_NOTE && section.sh_type != SHT_PROGBITS) continue;
        if (section.sh_size < sizeof(PluginNote) || section.sh_size > largest_note) continue;
        PluginNote note;
        if (!read_at(file, section.sh_offset, note)) continue;
        if (note.name_size != sizeof note_name || note.type != note_type ||
            std::memcmp(note.name, note_name, sizeof note_name) != 0)
            continue;
        if (note.descriptor_size != sizeof(PluginDescriptor) || note.descriptor.magic != descriptor_magic)
            return bad("has a broken descriptor; build it again with this SDK");
        auto descriptor = note.descriptor;
        descriptor.abi[sizeof descriptor.abi - 1] = descriptor.name[sizeof descriptor.name - 1] =
            descriptor.version[sizeof descriptor.version - 1] = 0;
        found = descriptor;
    }
    if (found) return *found;
    return bad("is no plugin of Postern: it has no descriptor (POSTERN_PLUGIN)");
}

std::string refusal(const PluginDescriptor& descriptor) {
    const auto theirs = std::to_string(descriptor.sdk_major) + "." + std::to_string(descriptor.sdk_minor);
    const auto ours = std::to_string(sdk_major) + "." + std::to_string(sdk_minor);
    if (descriptor.sdk_major != sdk_major || descriptor.sdk_minor > sdk_minor)
        return "is built for SDK " + theirs + ", this host has " + ours + "; build it with this host's SDK";
    if (std::string_view(descriptor.abi) != POSTERN_ABI_TAG)
        return "is built for the ABI " + std::string(descriptor.abi) +
               ", this host is " POSTERN_ABI_TAG "; build it with the same compiler and sanitizers";
    return {};
}

}  // namespace postern::plugins
