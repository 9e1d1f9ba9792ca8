#include <crl/files.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <x509/pem.hpp>

namespace postern::crl {
namespace {

namespace fs = std::filesystem;

void read_file(const std::string& path, std::vector<KnownListRef>& into,
               const std::function<void(std::string)>& problem) {
    std::error_code error;
    if (fs::file_size(path, error) > 2 * x509::CertificateList::size_limit || error)
        return problem(path + ": " + (error ? error.message() : "is too large for a list"));
    std::ifstream stream(path, std::ios::binary);
    const Bytes octets(std::istreambuf_iterator<char>(stream), {});
    auto blocks = x509::read_blocks(octets, "X509 CRL");
    if (!blocks) return problem(path + ": " + blocks.failure.text);
    if (blocks->empty()) problem(path + ": holds no revocation list");
    for (auto& der : *blocks) {
        auto list = x509::CertificateList::read(std::move(der));
        if (list) into.push_back(std::make_shared<const KnownList>(std::move(*list), path));
        else problem(path + ": " + list.failure.text);
    }
}

}  // namespace

std::vector<KnownListRef> read_files(const std::vector<std::string>& paths,
                                     const std::function<void(std::string)>& problem) {
    std::vector<KnownListRef> lists;
    for (const auto& path : paths) {
        std::error_code error;
        if (!fs::is_directory(path, error)) {
            read_file(path, lists, problem);
            continue;
        }
        fs::directory_iterator file(path, error);
        for (; !error && file != fs::directory_iterator(); file.increment(error)) {
            std::error_code ignored;
            if (file->is_regular_file(ignored)) read_file(file->path().string(), lists, problem);
        }
        if (error) problem(path + ": " + error.message() + "; its lists are missing");
    }
    return lists;
}

}  // namespace postern::crl
