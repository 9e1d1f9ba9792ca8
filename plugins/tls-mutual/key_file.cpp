#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <tls-mutual/key_file.hpp>

namespace postern::tls_mutual {
namespace {

Failure fault(const std::string& file, const std::string& what) { return {"no-own-certificate", file + ": " + what}; }

struct Descriptor {
    int number;
    explicit Descriptor(const std::string& path)
        : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
};

// Mode and kind are asked of the opened file: its name may mean another one a moment later.
std::optional<Failure> check_kind(const Descriptor& file, const std::string& path, Holds holds) {
    struct stat status {};
    if (::fstat(file.number, &status) != 0) return fault(path, std::strerror(errno));
    if (!S_ISREG(status.st_mode)) return fault(path, "is not a regular file; name a PEM file");
    if (holds == Holds::key && (status.st_mode & 007) != 0)
        return fault(path, "the private key is open to every user of this machine; run `chmod o= " + path + "`");
    if (status.st_size == 0) return fault(path, "is empty; put the PEM text into it");
    if (static_cast<std::size_t>(status.st_size) > most_file_octets)
        return fault(path, "is larger than 1 MiB; name the PEM file of this certificate alone");
    return std::nullopt;
}

}  // namespace

Secret::~Secret() {
    if (!bytes.empty()) gnutls_memset(bytes.data(), 0, bytes.size());
}

Outcome<Secret> read_all_of(int descriptor, const std::string& name) {
    Secret content;
    content.bytes.reserve(most_file_octets + 1);
    std::array<std::uint8_t, 4096> block;
    for (;;) {
        const auto count = ::read(descriptor, block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fault(name, std::strerror(errno));
        if (count == 0) break;
        if (content.bytes.size() + static_cast<std::size_t>(count) > most_file_octets)
            return fault(name, "grew beyond 1 MiB while it was read; try again");
        content.bytes.insert(content.bytes.end(), block.begin(), block.begin() + count);
    }
    gnutls_memset(block.data(), 0, block.size());
    return content;
}

Outcome<Secret> read_guarded(const std::string& path, Holds holds) {
    const Descriptor file(path);
    if (file.number < 0)
        return fault(path, std::string(std::strerror(errno)) + "; check the path and that Postern's user may read it");
    if (auto bad = check_kind(file, path, holds)) return *bad;
    return read_all_of(file.number, path);
}

}  // namespace postern::tls_mutual
