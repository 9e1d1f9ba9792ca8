// See folder.hpp.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deliver-maildir/folder.hpp>

namespace postern::maildir {
namespace {

std::string remedy(int error) {
    switch (error) {
        case ENOSPC:
            return "make room on that file system";
        case EDQUOT:
            return "raise the quota or empty mailboxes";
        case ENOENT:
            return "create the folder or correct deliver-maildir { folder ... }; is a file system not mounted?";
        case EACCES:
        case EPERM:
            return "let uid " + std::to_string(::geteuid()) + " write there";
        case EROFS:
            return "the file system is read-only; see why, and mount it for writing";
        case ENOTDIR:
        case ELOOP:
            return "something else than a folder stands in the way; move it aside";
        case EIO:
            return "the disk is failing; look into the kernel's log";
        default:
            return "see the folder and its file system";
    }
}

std::string status(int error) { return error == ENOSPC ? "4.3.1" : error == EDQUOT ? "4.2.2" : "4.3.0"; }

}  // namespace

Failure explained(const std::string& path, int error) {
    return {status(error), path + ": " + std::strerror(error) + "; " + remedy(error)};
}

File::~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Failure Folder::failed(const std::string& name) const {
    const int error = errno;
    return explained(name.empty() ? path_ : path_ + "/" + name, error);
}

Outcome<Folder> Folder::open(const std::string& path) {
    File file(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (file.get() < 0) return explained(path, errno);
    return Folder(path, std::move(file));
}

Outcome<Folder> Folder::child(const std::string& name) const {
    const bool made = ::mkdirat(file_.get(), name.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return failed(name);
    File file(::openat(file_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (file.get() < 0) return failed(name);
    if (made) {
        if (auto failure = sync()) {
            // Away again: the next try must not take it for one that is durable.
            ::unlinkat(file_.get(), name.c_str(), AT_REMOVEDIR);
            return *failure;
        }
    }
    return Folder(path_ + "/" + name, std::move(file));
}

Outcome<File> Folder::create(const std::string& name) const {
    File file(::openat(file_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.get() < 0) return failed(name);
    return file;
}

std::optional<Failure> Folder::sync() const {
    if (::fsync(file_.get()) != 0) return failed({});
    return std::nullopt;
}

std::optional<Failure> Folder::move(const std::string& name, const Folder& to) const {
    if (::linkat(file_.get(), name.c_str(), to.file_.get(), name.c_str(), 0) != 0) return to.failed(name);
    remove(name);
    return std::nullopt;
}

void Folder::remove(const std::string& name) const { ::unlinkat(file_.get(), name.c_str(), 0); }

}  // namespace postern::maildir
