// From a file to a Plugin object: owner and mode, descriptor, then dlopen of the very file that was checked. Handles
// are immortal: code is never unloaded.
#pragma once

#include <base/failure.hpp>
#include <memory>
#include <postern/plugin.hpp>
#include <string>

namespace postern::plugins {

struct LoadedFile {
    Plugin* plugin = nullptr;
    std::string name, version, path;
};

// The failure names the fault and the remedy.
Result<LoadedFile> load_file(const std::string& path, const std::string& expected_name);

}  // namespace postern::plugins
