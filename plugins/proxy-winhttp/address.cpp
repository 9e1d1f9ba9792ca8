// What libcurl opens sockets to, as octets and as text; see address.hpp.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <postern/fetch_rules.hpp>
#include <proxy-winhttp/address.hpp>

namespace postern::proxy_winhttp {
bool is_public(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return is_public_address(BytesView(reinterpret_cast<const std::uint8_t*>(&v4.sin_addr), sizeof v4.sin_addr));
    }
    if (address.sa_family != AF_INET6) return false;
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    return is_public_address(BytesView(v6.sin6_addr.s6_addr, sizeof v6.sin6_addr));
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
