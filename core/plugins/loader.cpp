#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <plugins/elf_note.hpp>
#include <plugins/loader.hpp>

namespace postern::plugins {

namespace {

Problem bad(std::string why) { return {"plugin-refused", std::move(why)}; }

// Whoever can write the file, or swap it in its folder, runs code with our keys.
std::string unsafe(const struct stat& status, const std::string& what) {
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) return what + " belongs to another user; chown it to root";
    if (status.st_mode & S_IWOTH && !(S_ISDIR(status.st_mode) && status.st_mode & S_ISVTX))
        return what + " is writable by others; chmod o-w it";
    if (status.st_mode & S_IWGRP && status.st_gid != 0) return what + " is writable by its group; chmod g-w it";
    return {};
}

}  // namespace

// Boost.DLL closes in the destructor: what is never destroyed is never unloaded. One thread loads at a time.
static boost::dll::shared_library& immortal_handle() {
    static auto* handles = new std::deque<boost::dll::shared_library>();
    return handles->emplace_back();
}

// Everything that can be known before a line of its code runs.
static Result<PluginDescriptor> check_file(int file, const std::string& path, const std::string& expected_name) {
    struct stat status {};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return bad(path + " is no regular file");
    if (auto why = unsafe(status, path); !why.empty()) return bad(why);
    const auto folder = std::filesystem::path(path).parent_path().string();
    if (::stat(folder.c_str(), &status) != 0) return bad(path + ": " + std::strerror(errno));
    if (auto why = unsafe(status, path + ": its folder"); !why.empty()) return bad(why);
    const auto descriptor = read_descriptor(file);
    if (!descriptor) return bad(path + " " + descriptor.error().text);
    if (auto why = refusal(*descriptor); !why.empty()) return bad(path + " " + why);
    if (expected_name != descriptor->name)
        return bad(path + " calls itself " + descriptor->name + "; install it as " + descriptor->name + ".so");
    return descriptor;
}

static FileIdentity identity_of(const struct stat& status) {
    return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
            status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

FileChange change_of(const LoadedFile& loaded, const std::string& path) {
    struct stat status {};
    // A file that is gone is told by load_file.
    if (::stat(path.c_str(), &status) != 0) return FileChange::renamed_over;
    const auto now = identity_of(status);
    if (now.device != loaded.identity.device || now.inode != loaded.identity.inode) return FileChange::renamed_over;
    if (now != loaded.identity) return FileChange::in_place;
    // The code is what it was; who may write to it has to be right still.
    const auto folder = std::filesystem::path(path).parent_path().string();
    struct stat about {};
    const bool safe =
        unsafe(status, path).empty() && ::stat(folder.c_str(), &about) == 0 && unsafe(about, folder).empty();
    return safe ? FileChange::none : FileChange::renamed_over;
}

Result<LoadedFile> load_file(const std::string& path, const std::string& expected_name) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return bad(path + ": " + std::strerror(errno) + "; install it, or take it out of plugins { }");
    struct stat status {};
    const auto identity = ::fstat(file, &status) == 0 ? identity_of(status) : FileIdentity{};
    const auto descriptor = check_file(file, path, expected_name);
    if (!descriptor) {
        ::close(file);
        return descriptor.error();
    }
    // The file that was checked, whatever the name points to by now; the descriptor stays open for ever, because a
    // closed and reused number would give dlopen the old handle.
    boost::dll::fs::error_code error;
    auto& library = immortal_handle();
    library.load("/proc/self/fd/" + std::to_string(file), error,
                 boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    if (error) {
        const char* said = ::dlerror();  // names the symbol; Boost.DLL says "bad file descriptor" for all
        return bad(path + " cannot be linked: " + (said ? said : error.message()) + "; see ldd -r of it");
    }
    if (!library.has(POSTERN_ENTRY_SYMBOL))
        return bad(path + " exports no " POSTERN_ENTRY_SYMBOL "; use POSTERN_ENTRY");
    try {
        auto* plugin = library.get<Plugin*()>(POSTERN_ENTRY_SYMBOL)();
        if (!plugin) return bad(path + " made no plugin object");
        return LoadedFile{plugin,   descriptor->name,      descriptor->version,  path,
                          identity, descriptor->sdk_major, descriptor->sdk_minor};
    } catch (...) {
        return bad(path + " threw while it was being made");
    }
}

}  // namespace postern::plugins
