// Special-purpose address ranges; see address.hpp.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <proxy-winhttp/address.hpp>

namespace postern::proxy_winhttp {
namespace {

struct Range {
    std::uint32_t network;
    unsigned prefix;
};
// IANA's IPv4 special-purpose registry, less what is globally reachable.
constexpr std::array not_public{
    Range{0x00000000, 8},  Range{0x0a000000, 8},  Range{0x64400000, 10}, Range{0x7f000000, 8},  Range{0xa9fe0000, 16},
    Range{0xac100000, 12}, Range{0xc0000000, 24}, Range{0xc0000200, 24}, Range{0xc0a80000, 16}, Range{0xc6120000, 15},
    Range{0xc6336400, 24}, Range{0xcb007100, 24}, Range{0xe0000000, 4},  Range{0xf0000000, 4}};

bool is_public(std::uint32_t v4) {
    for (const auto& range : not_public)
        if ((v4 ^ range.network) >> (32 - range.prefix) == 0) return false;
    return true;
}

using Octets = std::array<std::uint8_t, 16>;

std::uint32_t v4_at(const Octets& a, std::size_t at) {
    return std::uint32_t{a[at]} << 24 | std::uint32_t{a[at + 1]} << 16 | std::uint32_t{a[at + 2]} << 8 | a[at + 3];
}

bool is_public(const Octets& a) {
    const auto starts = [&](std::initializer_list<std::uint8_t> prefix) {
        return std::memcmp(a.data(), std::data(prefix), prefix.size()) == 0;
    };
    if (starts({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return is_public(v4_at(a, 12));        // mapped
    if (starts({0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return is_public(v4_at(a, 12));  // NAT64
    if (starts({0x20, 0x02})) return is_public(v4_at(a, 2));                                       // 6to4
    if (starts({0x20, 0x01, 0x0d, 0xb8}) || (starts({0x20, 0x01}) && a[2] < 2)) return false;  // documentation, Teredo
    return (a[0] & 0xe0) == 0x20;  // global unicast is 2000::/3; ::, ::1, fc00::, fe80::, ff00:: are outside of it
}

}  // namespace

bool is_public(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return is_public(ntohl(v4.sin_addr.s_addr));
    }
    if (address.sa_family != AF_INET6) return false;
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    Octets octets{};
    std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
    return is_public(octets);
}

std::string to_text(const sockaddr& address) {
    char text[INET6_ADDRSTRLEN] = "?";
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        return text + (":" + std::to_string(ntohs(v4.sin_port)));
    }
    if (address.sa_family != AF_INET6) return text;
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
}

}  // namespace postern::proxy_winhttp
