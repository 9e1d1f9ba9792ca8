// The keys of counters { ... } as values.
#pragma once

#include <netinet/in.h>

#include <postern/host.hpp>

namespace postern::counters {

// A literal address with its port, as the socket calls want it.
struct ListenAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    bool loopback() const;  // 127.0.0.0/8, ::1, and the former wrapped in IPv6
    std::string text() const;
};

std::optional<ListenAddress> parse_listen_address(std::string_view text);  // 127.0.0.1:9464, [::1]:0

std::vector<KeySpec> keys();
std::vector<SettingsProblem> check(const SettingsNode& node);
// Of a node that passed check(); nothing otherwise.
std::optional<ListenAddress> read(const SettingsNode& node);

}  // namespace postern::counters
