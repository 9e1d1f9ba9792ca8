// How many files and sockets the kernel lets us hold: all that it allows, and whether that is enough.
#pragma once

#include <config/settings.hpp>
#include <string>

namespace postern::app {

// Raises the soft limit to the hard one, which systemd and shells leave far apart.
void raise_descriptor_limit();
// What an administrator should know about the limit, or empty.
std::string descriptors_missing(const config::Settings& settings);

}  // namespace postern::app
