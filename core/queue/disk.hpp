// The calls by which the spool changes the disk, in one place: what runs passes them on, tests record them, drop what
// was not synced, or fail the n-th. Reading goes past it. Any thread.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>

namespace postern::queue {

class Disk {
public:
    virtual ~Disk() = default;
    // As the calls of their names, whole or not at all: false with errno.
    virtual int create(const std::string& path);  // for writing and reading; truncates nothing; -1 with errno
    virtual bool allocate(int fd, std::uint64_t size);
    virtual bool write_at(int fd, std::span<iovec> pieces, std::uint64_t offset);  // uses up `pieces`
    virtual bool sync_data(int fd);
    virtual bool sync_folder(const std::string& path);
    virtual bool rename(const std::string& from, const std::string& to);
    virtual bool unlink(const std::string& path);

    static Disk& real();
};

// Closes what it holds.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept;
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor();
    bool good() const { return fd_ >= 0; }
    int get() const { return fd_; }

private:
    int fd_ = -1;
};

// Up to `size` octets from there; less only at the end of the file; nothing with errno.
bool read_whole_at(int fd, std::uint64_t offset, std::string& into, std::size_t size);
// All of `into`, or false.
bool read_whole_at(int fd, std::uint64_t offset, std::span<std::uint8_t> into);
// The same, only from the page cache: waits for no disk.
bool read_cached_at(int fd, std::uint64_t offset, std::span<std::uint8_t> into);

}  // namespace postern::queue
