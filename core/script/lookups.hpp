// What a script may wait for, as data: the sandbox says what is wanted, who drives the call brings it (net/ by the
// resolver and the fetchers, `policy test` from the test's own table). Nothing here knows a network.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace postern::script {

enum class LookupKind : std::uint8_t { dns = 1, http = 2 };

struct Lookup {
    LookupKind kind = LookupKind::dns;
    std::string type;  // dns: "A", "AAAA", "MX", "TXT", "PTR", "NS", "CNAME"
    std::string name;  // dns: canonical domain; http: the URL
};

// Texts as a script sees them ("10 mail1.example.org" for MX; one body for http), or why there are none.
struct Found {
    std::vector<std::string> texts;
    std::string failure;  // empty; or a token: "nxdomain", "no-data", "dns-failed", "http-failed" ...
    std::string sentence;
};

}  // namespace postern::script
