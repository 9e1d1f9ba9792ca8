#include <curl/curl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <proxy-winhttp/roots_file.hpp>

namespace postern::proxy_winhttp {
namespace {

constexpr std::size_t largest_file = 4u << 20;

Outcome<std::string> contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return Failure{"bad-roots", path + " (https_roots): " + std::strerror(errno)};
    std::string text(largest_file + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > largest_file) return Failure{"bad-roots", path + " (https_roots) is larger than 4 MB"};
    if (text.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
        return Failure{"bad-roots", path + " (https_roots) holds no certificate in PEM"};
    return text + "\n";
}

std::string system_roots() {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(), curl_easy_cleanup);
    char* path = nullptr;
    if (!easy || curl_easy_getinfo(easy.get(), CURLINFO_CAINFO, &path) != CURLE_OK || !path) return {};
    const auto text = contents(path);
    return text ? *text : std::string();  // a system without roots trusts the named ones alone
}

}  // namespace

RootsFile::RootsFile(int descriptor) : descriptor_(descriptor), path_("/proc/self/fd/" + std::to_string(descriptor)) {}

RootsFile::~RootsFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

std::shared_ptr<const RootsFile> RootsFile::none() { return std::make_shared<const RootsFile>(-1); }

Outcome<std::shared_ptr<const RootsFile>> RootsFile::beside_system(const std::vector<std::string>& files) {
    if (files.empty()) return std::shared_ptr<const RootsFile>();
    auto all = system_roots();
    for (const auto& file : files) {
        const auto text = contents(file);
        if (!text) return text.failure;
        all += *text;
    }
    auto roots = std::make_shared<const RootsFile>(::memfd_create("postern-https-roots", MFD_CLOEXEC));
    if (roots->descriptor_ < 0 ||
        ::write(roots->descriptor_, all.data(), all.size()) != static_cast<ssize_t>(all.size()))
        return Failure{"bad-roots", std::string("https_roots cannot be kept in memory: ") + std::strerror(errno)};
    return roots;
}

}  // namespace postern::proxy_winhttp
