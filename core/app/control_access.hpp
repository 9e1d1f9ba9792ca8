// Who may ask the daemon what over its control socket: the kernel says who connected, the configuration which group may
// look and which may change. Knows no words' meaning but whether they change anything.
#pragma once

#include <sys/types.h>

#include <base/failure.hpp>
#include <optional>
#include <string>
#include <vector>

namespace postern::app {

enum class ControlAccess : std::uint8_t { none, look, change };

struct ControlGroups {
    std::optional<gid_t> look, change;
    // Where neither is set the socket's own mode decides: owner and group, who may do everything.
    bool any() const { return look || change; }
};

// Empty names are no groups; a failure names the key and the group that is not there.
Result<ControlGroups> control_groups(const std::string& look, const std::string& change);

// Of whoever connected that socket; root and the daemon's own user may do everything.
ControlAccess access_of(int socket, const ControlGroups& groups);
ControlAccess access_for(uid_t user, const std::vector<gid_t>& member_of, const ControlGroups& groups);

// What leaves everything as it is, and shows no message's text.
bool only_looks(const std::vector<std::string>& words);

}  // namespace postern::app
