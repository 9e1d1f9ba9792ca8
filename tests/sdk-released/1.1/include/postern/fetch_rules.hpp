// FetchRules as code: what every Fetcher holds a URL's host, port and addresses against, so that all of them judge
// alike.
//
// URLs come from strangers' certificates. This is the guard against those that would make the edge speak to 127.0.0.1,
// 169.254.169.254 or the hub. Pure; parsing a URL is the fetcher's business, since it must be the parser that connects.
#pragma once

#include <algorithm>
#include <array>
#include <postern/fetch.hpp>

namespace postern {

// Lower case, without brackets and without a trailing dot.
inline std::string canonical_host(std::string_view text) {
    std::string host(text);
    for (char& c : host)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (!host.empty() && host.back() == '.') host.pop_back();
    return host;
}

// The characters of names and literal addresses, and nothing that a resolver or a log might read otherwise.
inline bool is_host(std::string_view host) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':';
    };
    return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), fits) &&
           host.find("..") == std::string_view::npos && host.front() != '.';
}

// Also forms that only some resolvers take for an address: `127.1`, `0x7f.0.0.1`, `2130706433`.
inline bool is_literal_address(std::string_view host) {
    if (host.find(':') != std::string_view::npos) return true;
    const auto last = host.substr(host.rfind('.') + 1);
    return last.substr(0, 2) == "0x" ||
           std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Then literal addresses, single labels, own names and private addresses pass. `host` is canonical, as below.
inline bool named_by_operator(std::string_view host, const FetchRules& rules) {
    return std::any_of(rules.allowed_hosts.begin(), rules.allowed_hosts.end(),
                       [&](const std::string& one) { return canonical_host(one) == host; });
}

inline bool is_at_or_below(std::string_view host, std::string_view domain) {
    if (host == domain) return true;
    return host.size() > domain.size() && host.substr(host.size() - domain.size()) == domain &&
           host[host.size() - domain.size() - 1] == '.';
}

// The sentence that refuses it, or nothing. `own_port`: the scheme's, where no ports are named.
inline std::optional<std::string> refusal(std::string_view host, std::uint16_t port, std::uint16_t own_port,
                                          const FetchRules& rules) {
    const auto& ports = rules.allowed_ports;
    if (ports.empty() ? port != own_port : std::find(ports.begin(), ports.end(), port) == ports.end())
        return "port " + std::to_string(port) + " is not among the allowed ports";
    if (named_by_operator(host, rules)) return std::nullopt;
    if (is_literal_address(host)) return "its host is a literal address, and not among the allowed hosts";
    if (host.find('.') == std::string_view::npos) return "its host is a single label, and not among the allowed hosts";
    for (const auto& own : rules.own_domains)
        if (is_at_or_below(host, canonical_host(own)))
            return "its host is under our own domain " + own + ", and not among the allowed hosts";
    return std::nullopt;
}

namespace detail {
inline bool is_public_v4(std::uint32_t address) {
    struct Range {
        std::uint32_t network;
        unsigned prefix;
    };
    // IANA's IPv4 special-purpose registry, less what is globally reachable.
    constexpr std::array<Range, 14> not_public{{{0x00000000, 8},
                                                {0x0a000000, 8},
                                                {0x64400000, 10},
                                                {0x7f000000, 8},
                                                {0xa9fe0000, 16},
                                                {0xac100000, 12},
                                                {0xc0000000, 24},
                                                {0xc0000200, 24},
                                                {0xc0a80000, 16},
                                                {0xc6120000, 15},
                                                {0xc6336400, 24},
                                                {0xcb007100, 24},
                                                {0xe0000000, 4},
                                                {0xf0000000, 4}}};
    for (const auto& range : not_public)
        if ((address ^ range.network) >> (32 - range.prefix) == 0) return false;
    return true;
}
}  // namespace detail

// `octets`: 4 or 16, in network order. False for loopback, link-local, private, shared, multicast, reserved and
// unspecified ones, also when wrapped in IPv6 (mapped, NAT64, 6to4, Teredo), and for any other number of octets.
inline bool is_public_address(BytesView octets) {
    const auto v4_at = [&](std::size_t at) {
        return std::uint32_t{octets[at]} << 24 | std::uint32_t{octets[at + 1]} << 16 |
               std::uint32_t{octets[at + 2]} << 8 | octets[at + 3];
    };
    const auto starts = [&](std::initializer_list<std::uint8_t> prefix) {
        return std::equal(prefix.begin(), prefix.end(), octets.begin());
    };
    if (octets.size() == 4) return detail::is_public_v4(v4_at(0));
    if (octets.size() != 16) return false;
    if (starts({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return detail::is_public_v4(v4_at(12));        // mapped
    if (starts({0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return detail::is_public_v4(v4_at(12));  // NAT64
    if (starts({0x20, 0x02})) return detail::is_public_v4(v4_at(2));                                       // 6to4
    if (starts({0x20, 0x01, 0x0d, 0xb8}) || (starts({0x20, 0x01}) && octets[2] < 2)) return false;  // docs, Teredo
    if (starts({0x3f, 0xff}) && octets[2] < 0x10) return false;                                     // docs, RFC 9637
    return (octets[0] & 0xe0) == 0x20;  // global unicast is 2000::/3; ::, ::1, fc00::, fe80::, ff00:: are outside of it
}

// Controls and non-ASCII escaped, bounded: a stranger's text as a log line may hold it.
inline std::string printable(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string shown;
    for (const char c : text.substr(0, 300)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 0x20 && octet < 0x7f) shown += c;
        else ((shown += "\\x") += digits[octet >> 4]) += digits[octet & 15];
    }
    return text.size() > 300 ? shown + "..." : shown;
}

}  // namespace postern
