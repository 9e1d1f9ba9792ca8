#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <queue/disk.hpp>
#include <utility>

namespace postern::queue {

int Disk::create(const std::string& path) { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); }

bool Disk::allocate(int fd, std::uint64_t size) {
    const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(size));
    if (error) errno = error;
    return error == 0;
}

bool Disk::write_at(int fd, std::span<iovec> pieces, std::uint64_t offset) {
    constexpr std::size_t most = 1024;  // IOV_MAX
    while (!pieces.empty()) {
        if (pieces.front().iov_len == 0) {
            pieces = pieces.subspan(1);
            continue;
        }
        const auto count =
            ::pwritev(fd, pieces.data(), static_cast<int>(std::min(pieces.size(), most)), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) errno = EIO;
        if (count <= 0) return false;
        offset += static_cast<std::uint64_t>(count);
        auto left = static_cast<std::size_t>(count);
        while (!pieces.empty() && left >= pieces.front().iov_len) {
            left -= pieces.front().iov_len;
            pieces = pieces.subspan(1);
        }
        if (left == 0) continue;
        pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + left;
        pieces.front().iov_len -= left;
    }
    return true;
}

bool Disk::sync_data(int fd) { return ::fdatasync(fd) == 0; }

bool Disk::sync_folder(const std::string& path) {
    const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return folder.good() && ::fsync(folder.get()) == 0;
}

bool Disk::rename(const std::string& from, const std::string& to) { return std::rename(from.c_str(), to.c_str()) == 0; }

bool Disk::unlink(const std::string& path) { return ::unlink(path.c_str()) == 0; }

Disk& Disk::real() {
    static Disk disk;
    return disk;
}

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

bool read_whole_at(int fd, std::uint64_t offset, std::string& into, std::size_t size) {
    into.resize(size);
    std::size_t have = 0;
    while (have < size) {
        const auto count = ::pread(fd, into.data() + have, size - have, static_cast<off_t>(offset + have));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        if (count == 0) break;
        have += static_cast<std::size_t>(count);
    }
    into.resize(have);
    return true;
}

bool read_whole_at(int fd, std::uint64_t offset, std::span<std::uint8_t> into) {
    while (!into.empty()) {
        const auto count = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        offset += static_cast<std::uint64_t>(count);
        into = into.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

bool read_cached_at(int fd, std::uint64_t offset, std::span<std::uint8_t> into) {
    const iovec all{into.data(), into.size()};
    return ::preadv2(fd, &all, 1, static_cast<off_t>(offset), RWF_NOWAIT) == static_cast<ssize_t>(into.size());
}

}  // namespace postern::queue
