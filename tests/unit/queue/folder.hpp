// A folder of a test's own, gone with it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace postern::queue {

struct Folder {
    Folder() {
        auto path = (std::filesystem::temp_directory_path() / "postern-queue-XXXXXX").string();
        if (::mkdtemp(path.data()) == nullptr) throw std::filesystem::filesystem_error("mkdtemp", path, {});
        name = path;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(name); }
    std::string name;
};

}  // namespace postern::queue
