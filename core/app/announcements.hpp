// Events that belong to no session: the daemon's own life, what was delivered, what was read. Asked on one worker, so
// that scripts and deciders see them one after the other; only config_validate is waited for.
#pragma once

#include <net/deciding.hpp>

namespace postern::app {

// Later, on that worker; nothing where nobody listens. Any thread.
void announce(const net::Services& services, net::Worker& worker,
              std::shared_ptr<const policy::AskedQuestion> question);

// Asks deciders and the generation's own scripts whether it may be taken: on the reload thread, which may wait. What
// they refuse, or fail at, is a problem of the configuration.
void validate(const net::Generation& generation, std::vector<config::ConfigProblem>& problems);

// The same, and waited for, a second at most: for the daemon's end.
void announce_and_wait(const net::Services& services, net::Worker& worker,
                       std::shared_ptr<const policy::AskedQuestion> question);

}  // namespace postern::app
