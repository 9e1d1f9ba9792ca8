// The certificates that https servers are trusted by, as the one file that libcurl reads them from: the system's roots
// and those of the settings, in memory. Lives as long as a transfer uses it.
#pragma once

#include <memory>
#include <postern/pending.hpp>

namespace postern::proxy_winhttp {

class RootsFile {
public:
    // Null for no files: libcurl's default is right then. The failure names the file that cannot be used.
    static Outcome<std::shared_ptr<const RootsFile>> beside_system(const std::vector<std::string>& files);
    // Trusts nobody.
    static std::shared_ptr<const RootsFile> none();

    explicit RootsFile(int descriptor);
    ~RootsFile();
    RootsFile(const RootsFile&) = delete;
    RootsFile& operator=(const RootsFile&) = delete;
    const std::string& path() const { return path_; }

private:
    int descriptor_;
    std::string path_;
};

}  // namespace postern::proxy_winhttp
