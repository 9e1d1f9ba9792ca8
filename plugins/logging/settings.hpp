// The keys of logging { ... } as values.
#pragma once

#include <postern/host.hpp>

namespace postern::logging {

struct Settings {
    std::string folder = "/var/log/postern";
    std::uint64_t max_size = 10u << 20;        // of a file
    std::uint64_t max_directory = 250u << 20;  // of the receive or the send folder
    std::chrono::milliseconds max_age{std::chrono::hours(30 * 24)};
};

std::vector<KeySpec> keys();
Settings read(const SettingsNode& node);

}  // namespace postern::logging
