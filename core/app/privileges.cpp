#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <app/privileges.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace postern::app {

static Problem failed(const std::string& what) { return {"start-failed", what + ": " + std::strerror(errno)}; }

static Result<void> make_folder(const std::string& path, const passwd& user) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) return {};
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (::mkdir(path.c_str(), 0700) != 0 || ::chown(path.c_str(), user.pw_uid, user.pw_gid) != 0)
        return failed(path + " cannot be made for " + user.pw_name);
    return {};
}

static bool keep_only_binding() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    data[0].permitted = data[0].effective = 1u << CAP_NET_BIND_SERVICE;
    return ::syscall(SYS_capset, &header, data) == 0;
}

Result<void> make_folders_for(const std::string& user, const std::vector<std::string>& folders) {
    if (user.empty() || ::geteuid() != 0) return {};
    const auto* entry = ::getpwnam(user.c_str());
    if (!entry) return Problem{"start-failed", "there is no user " + user + "; adduser --system " + user};
    for (const auto& folder : folders)
        if (auto made = make_folder(folder, *entry); !made) return made;
    return {};
}

Result<void> become(const std::string& user, const std::vector<std::string>& folders) {
    if (user.empty() || ::geteuid() != 0) return {};
    if (auto made = make_folders_for(user, folders); !made) return made;
    const passwd whom = *::getpwnam(user.c_str());
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || ::initgroups(user.c_str(), whom.pw_gid) != 0 ||
        ::setresgid(whom.pw_gid, whom.pw_gid, whom.pw_gid) != 0 ||
        ::setresuid(whom.pw_uid, whom.pw_uid, whom.pw_uid) != 0)
        return failed("cannot become the user " + user);
    if (!keep_only_binding()) return failed("cannot drop capabilities");
    if (::setresuid(0, 0, 0) == 0) return Problem{"start-failed", "root could be taken back after becoming " + user};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return {};
}

}  // namespace postern::app
