// A folder of small files that belongs to one user alone. Each change is one rename: whole or not at all, on stable
// storage before it is believed, and after a failure (a full disk, a crash) everything stands as before.
//
// It knows nothing of certificates. Commands that change it hold its lock; reading needs none.
#pragma once

#include <postern/pending.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::tls_mutual {

// "Nothing", where only success or a Failure is to be told.
struct Done {};

class Folder {
public:
    explicit Folder(std::string path) : path_(std::move(path)) {}
    const std::string& path() const { return path_; }
    std::string path_of(std::string_view name) const { return path_ + "/" + std::string(name); }

    // The names in it, sorted; none where it does not exist yet. Temporary files are left out.
    std::vector<std::string> names() const;

    // Held while it lives. One command at a time; the daemon's own changes are commands too.
    class Lock {
    public:
        explicit Lock(int descriptor) : descriptor_(descriptor) {}
        Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;
        Lock& operator=(Lock&&) = delete;
        ~Lock();

    private:
        int descriptor_;
    };
    // Makes the folder where it is missing (mode 0700) and refuses one that others may enter. Waits some seconds for
    // another command, then says so (token "busy").
    Outcome<Lock> lock() const;

    // These want the lock held.
    Outcome<Done> put(std::string_view name, std::string_view content) const;
    Outcome<Done> remove(std::string_view name) const;

private:
    std::string path_;
};

// A file elsewhere: written beside it and renamed over it, with this mode. For what a command hands out.
Outcome<Done> write_file(const std::string& path, std::string_view content, unsigned mode);

}  // namespace postern::tls_mutual
