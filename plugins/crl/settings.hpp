// The keys of crl { ... } as values.
#pragma once

#include <crl/ldap_fetcher.hpp>
#include <postern/host.hpp>

namespace postern::crl {

struct Settings {
    std::vector<std::string> hosts;    // crl_hosts: may be fetched although they are ours, literal or private
    std::vector<std::uint16_t> ports;  // crl_ports; empty: the scheme's own
    bool allow_private = false;
    Milliseconds timeout{15000};
    Milliseconds backoff{30000};     // after the first failure of a URL; doubles up to 30 minutes
    std::vector<std::string> files;  // files or folders of lists that need no fetching
    std::uint64_t cache_size = 256u << 20;
    LdapSettings ldap;  // ldap_hosts, ldap_roots
};

std::vector<KeySpec> keys();
std::vector<SettingsProblem> check(const SettingsNode& node);
Settings read(const SettingsNode& node);  // of a node that passed check()

}  // namespace postern::crl
