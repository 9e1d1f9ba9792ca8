// What scripts of one generation share beside themselves: compiled modules and data files. Immutable once loaded.
#pragma once

#include <map>
#include <script/branches.hpp>
#include <script/data_files.hpp>
#include <string>

namespace postern::script {

struct ScriptFile {
    std::string path;     // as messages name it
    std::string partner;  // the listed entry; empty: for all
    std::string code;     // compiled by this very Lua
    // Where its code tells what it decided, when a test measures that (branches.hpp); else null.
    std::vector<Branch>* branches = nullptr;
};

struct Library {
    std::string folder;                                      // of the scripts
    std::map<std::string, ScriptFile, std::less<>> modules;  // by name: "common" for modules/common.lua
    DataFiles data;
};

}  // namespace postern::script
