// The roles that bring something from elsewhere: Fetcher (one a scheme) and ProxyResolver (asked at each hop).
//
// URLs come from strangers' certificates; every rule is asked again at every redirect.
#pragma once

#include <postern/pending.hpp>
#include <postern/types.hpp>

namespace postern {

struct FetchRules {
    std::vector<std::string> allowed_hosts;    // literal addresses, single labels and own names only if listed here
    std::vector<std::string> own_domains;      // names below these are refused unless in allowed_hosts
    std::vector<std::uint16_t> allowed_ports;  // empty: the scheme's own port
    bool allow_private = false;                // loopback, link-local and private addresses
    std::uint32_t redirects = 3;
    std::uint64_t bytes = 64u << 20;
    Milliseconds timeout{15000};  // in total, all hops
};

struct FetchRequest {
    std::string url;
    FetchRules rules;
    std::string if_none_match;  // ETag of what is cached
    std::string if_modified_since;
};

struct FetchAnswer {
    bool not_modified = false;
    Bytes body;
    std::string etag;
    std::string last_modified;
    std::string way;  // "direct to 127.0.0.1:8080" or "by proxy proxy.contoso.com:3128": each hop
};

// No connection, or no answer in time: whatever else is asked of that host fares alike.
inline constexpr std::string_view host_unreachable = "host-unreachable";

class Fetcher {
public:
    static constexpr std::string_view id = "postern.fetcher.1";  // registered by name: "http", "https", "ldap", "ldaps"
    virtual ~Fetcher() = default;
    // Failure tokens: host_unreachable where nobody answers there (since 1.1), "crl-unreachable" for all else that time
    // may mend; the text says which hop and what came back.
    virtual Pending<FetchAnswer> fetch(FetchRequest) = 0;
};

struct ProxyChoice {
    bool direct = true;
    std::string host;
    std::uint16_t port = 0;
    std::string user, password;  // never logged
    std::string why;             // "bypass <local>", "proxy for http"
};

class ProxyResolver {
public:
    static constexpr std::string_view id = "postern.proxy-resolver.1";
    virtual ~ProxyResolver() = default;
    // Inline. `ignore_bypass`: the bypass list does not apply to URLs out of certificates.
    virtual ProxyChoice choose(std::string_view url, bool ignore_bypass) = 0;
};

}  // namespace postern
