#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <app/control_access.hpp>
#include <array>
#include <cerrno>

namespace postern::app {

namespace {

Result<std::optional<gid_t>> group(const std::string& key, const std::string& name) {
    if (name.empty()) return std::optional<gid_t>();
    struct group entry {
    }, *found = nullptr;
    std::vector<char> room(1 << 16);
    int failed = 0;
    while ((failed = ::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found)) == ERANGE)
        room.resize(room.size() * 2);
    if (!found) return Problem{"start-failed", key + " " + name + ": there is no such group"};
    return std::optional<gid_t>(entry.gr_gid);
}

// Those beyond the first one; nothing where the kernel does not say.
std::vector<gid_t> groups_of(int socket) {
    std::vector<gid_t> all(64);
    auto length = static_cast<socklen_t>(all.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, all.data(), &length) != 0) {
        if (errno != ERANGE) return {};
        all.resize(length / sizeof(gid_t));
        if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, all.data(), &length) != 0) return {};
    }
    all.resize(length / sizeof(gid_t));
    return all;
}

}  // namespace

Result<ControlGroups> control_groups(const std::string& look, const std::string& change) {
    auto may_look = group("control_look_group", look);
    if (!may_look) return may_look.error();
    auto may_change = group("control_change_group", change);
    if (!may_change) return may_change.error();
    return ControlGroups{*may_look, *may_change};
}

ControlAccess access_of(int socket, const ControlGroups& groups) {
    ucred who{};
    socklen_t length = sizeof who;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return ControlAccess::none;
    auto member_of = groups_of(socket);
    member_of.push_back(who.gid);
    return access_for(who.uid, member_of, groups);
}

ControlAccess access_for(uid_t user, const std::vector<gid_t>& member_of, const ControlGroups& groups) {
    const auto is_in = [&](const std::optional<gid_t>& one) {
        return one && std::ranges::find(member_of, *one) != member_of.end();
    };
    if (!groups.any() || user == 0 || user == ::geteuid() || is_in(groups.change)) return ControlAccess::change;
    return is_in(groups.look) ? ControlAccess::look : ControlAccess::none;
}

bool only_looks(const std::vector<std::string>& words) {
    constexpr std::array alone{"status", "trace", "counters", "doctor"};
    constexpr std::array looking{"list", "show", "destinations", "order", "running"};
    if (words.empty() || std::ranges::find(words, "--body") != words.end()) return false;
    if (std::ranges::find(alone, words[0]) != alone.end()) return true;
    return words.size() > 1 && std::ranges::find(looking, words[1]) != looking.end();
}

}  // namespace postern::app
