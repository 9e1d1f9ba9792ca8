// From a file to a Plugin object: owner and mode, descriptor, then dlopen of the very file that was checked. Handles
// are immortal: code is never unloaded.
#pragma once

#include <base/failure.hpp>
#include <memory>
#include <postern/plugin.hpp>
#include <string>

namespace postern::plugins {

// Which file it was, and as it was, when it was opened.
struct FileIdentity {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t changed = 0;  // mtime, ns
    bool operator==(const FileIdentity&) const = default;
};

struct LoadedFile {
    Plugin* plugin = nullptr;
    std::string name, version, path;
    FileIdentity identity;
    std::uint16_t sdk_major = 0, sdk_minor = 0;
};

enum class FileChange : std::uint8_t {
    none,
    renamed_over,  // another file has the name: load it
    in_place,      // the very file whose pages are mapped was written to
};
FileChange change_of(const LoadedFile& loaded, const std::string& path);

// The failure names the fault and the remedy.
Result<LoadedFile> load_file(const std::string& path, const std::string& expected_name);

}  // namespace postern::plugins
