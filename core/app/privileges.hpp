// From root to the configured user, once, before plugins are loaded and anybody connects: all that is kept is
// CAP_NET_BIND_SERVICE, so that a reload may open another port below 1024.
#pragma once

#include <base/failure.hpp>
#include <string>
#include <vector>

namespace postern::app {

// `folders` (spool, state) are made where they are missing and then belong to the user. Nothing happens where `user` is
// empty or we are not root; then posternd runs as whoever started it. Main thread, before others matter: only it keeps
// the capability.
Result<void> become(const std::string& user, const std::vector<std::string>& folders);

// The first half alone, for root's command line: what it makes before the daemon's first start must be the daemon's.
Result<void> make_folders_for(const std::string& user, const std::vector<std::string>& folders);

}  // namespace postern::app
