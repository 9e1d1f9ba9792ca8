#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <tls-mutual/store/folder.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::string_view unfinished = ".new-";  // what a crash leaves behind begins so
constexpr std::string_view lock_name = ".lock";
constexpr int patience_turns = 200, turn_milliseconds = 25;

// Every fault names the file, what the system said and what to do about it.
Failure fault(const std::string& file, int error) {
    std::string remedy = "check that this user may write there";
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) remedy = "make room and try again; nothing was changed";
    if (error == EROFS) remedy = "it lies on a read-only file system; nothing was changed";
    if (error == EIO) remedy = "the disk is failing; nothing was changed";
    return {"cannot-write", file + ": " + std::strerror(error) + "; " + remedy};
}

struct Descriptor {
    int number;
    explicit Descriptor(int opened) : number(opened) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
};

int write_all(int file, std::string_view content) {
    while (!content.empty()) {
        const auto count = ::write(file, content.data(), content.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno;
        content.remove_prefix(static_cast<std::size_t>(count));
    }
    return ::fsync(file) == 0 ? 0 : errno;
}

// What root's command line writes belongs to whom the folder belongs to: the daemon must be able to read it.
void give_to_owner(int file, int folder) {
    struct stat about {};
    if (::geteuid() == 0 && ::fstat(folder, &about) == 0 && about.st_uid != 0)
        (void)!::fchown(file, about.st_uid, about.st_gid);
}

// Beside the files that count, until they do or no longer do; swept with the next lock where a command was killed.
std::string beside(const char* what, const std::string& name) {
    return std::string(unfinished) + std::to_string(::getpid()) + what + name;
}

int write_new(int folder, const std::string& name, std::string_view content, unsigned mode) {
    (void)::unlinkat(folder, name.c_str(), 0);
    const Descriptor file(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (file.number < 0) return errno;
    give_to_owner(file.number, folder);
    return write_all(file.number, content);
}

// From one name to the other on stable storage. What was there before is kept until that is certain, and comes back
// where it is not.
int rename_for_good(int folder, const std::string& from, const std::string& to) {
    const auto kept = beside("-old-", to);
    const bool had = ::linkat(folder, to.c_str(), folder, kept.c_str(), 0) == 0;
    int error = ::renameat(folder, from.c_str(), folder, to.c_str()) == 0 ? 0 : errno;
    if (error == 0 && ::fsync(folder) != 0) {
        error = errno;
        (void)::renameat(folder, to.c_str(), folder, from.c_str());
        if (had) (void)::renameat(folder, kept.c_str(), folder, to.c_str());
    }
    if (had) (void)::unlinkat(folder, kept.c_str(), 0);
    return error;
}

int replace(int folder, const std::string& name, std::string_view content, unsigned mode) {
    const auto temporary = beside("-", name);
    int error = write_new(folder, temporary, content, mode);
    if (error == 0) error = rename_for_good(folder, temporary, name);
    if (error != 0) (void)::unlinkat(folder, temporary.c_str(), 0);
    return error;
}

int open_folder(const std::string& path) { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

Outcome<Done> make_private(const std::string& path) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) {
        if (errno != ENOENT) return fault(path, errno);
        std::error_code ignored;
        std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fault(path, errno);
        const Descriptor made(open_folder(path)), parent(open_folder(path + "/.."));
        if (made.number >= 0 && parent.number >= 0) give_to_owner(made.number, parent.number);
        if (::stat(path.c_str(), &about) != 0) return fault(path, errno);
    }
    if (!S_ISDIR(about.st_mode))
        return Failure{"cannot-write", path + " is not a folder; name a folder for the certificates"};
    if ((about.st_mode & 077) != 0)
        return Failure{"cannot-write",
                       path + " is open to other users although keys lie in it; run `chmod 700 " + path + "`"};
    return Done{};
}

}  // namespace

std::vector<std::string> Folder::names() const {
    std::vector<std::string> all;
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(path_.c_str()), ::closedir);
    if (!listing) return all;
    while (const auto* one = ::readdir(listing.get()))
        if (one->d_name[0] != '.') all.emplace_back(one->d_name);
    std::sort(all.begin(), all.end());
    return all;
}

Folder::Lock::~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Outcome<Folder::Lock> Folder::lock() const {
    if (auto made = make_private(path_); !made) return made.failure;
    const auto file = path_of(lock_name);
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) return fault(file, errno);
    Lock lock(descriptor);
    const Descriptor folder(open_folder(path_));
    give_to_owner(descriptor, folder.number);
    for (int turn = 0; ::flock(descriptor, LOCK_EX | LOCK_NB) != 0; ++turn) {
        if (errno != EWOULDBLOCK && errno != EINTR) return fault(file, errno);
        if (turn == patience_turns)
            return Failure{"busy", path_ + " is being changed by another command; try again when it is done"};
        (void)::poll(nullptr, 0, turn_milliseconds);
    }
    // Left by a command that was killed; nobody else works here now.
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(path_.c_str()), ::closedir);
    while (const auto* one = listing ? ::readdir(listing.get()) : nullptr)
        if (std::string_view(one->d_name).starts_with(unfinished)) (void)::unlinkat(folder.number, one->d_name, 0);
    return lock;
}

Outcome<Done> Folder::put(std::string_view name, std::string_view content) const {
    const Descriptor folder(open_folder(path_));
    if (folder.number < 0) return fault(path_, errno);
    if (const int error = replace(folder.number, std::string(name), content, 0600)) return fault(path_of(name), error);
    return Done{};
}

Outcome<Done> Folder::remove(std::string_view name) const {
    const Descriptor folder(open_folder(path_));
    if (folder.number < 0) return fault(path_, errno);
    const std::string file(name), leaving = beside("-gone-", file);
    if (const int error = rename_for_good(folder.number, file, leaving)) return fault(path_of(name), error);
    (void)::unlinkat(folder.number, leaving.c_str(), 0);
    return Done{};
}

Outcome<Done> write_file(const std::string& path, std::string_view content, unsigned mode) {
    const std::filesystem::path whole(path);
    const auto parent = whole.has_parent_path() ? whole.parent_path().string() : std::string(".");
    const Descriptor folder(open_folder(parent));
    if (folder.number < 0) return fault(parent, errno);
    if (const int error = replace(folder.number, whole.filename().string(), content, mode)) return fault(path, error);
    return Done{};
}

}  // namespace postern::tls_mutual
