#include <arpa/inet.h>

#include <charconv>
#include <counters/settings.hpp>
#include <cstring>

namespace postern::counters {
namespace {

constexpr std::string_view default_listen = "127.0.0.1:9464";

std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return port;
}

const sockaddr_in& v4(const ListenAddress& address) { return reinterpret_cast<const sockaddr_in&>(address.storage); }
const sockaddr_in6& v6(const ListenAddress& address) { return reinterpret_cast<const sockaddr_in6&>(address.storage); }

template <class Socket>
ListenAddress wrapped(const Socket& socket) {
    ListenAddress address;
    std::memcpy(&address.storage, &socket, sizeof socket);
    address.size = sizeof socket;
    return address;
}

}  // namespace

bool ListenAddress::loopback() const {
    if (storage.ss_family == AF_INET) return ntohl(v4(*this).sin_addr.s_addr) >> 24 == 127;
    const auto& octets = v6(*this).sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&octets) || (IN6_IS_ADDR_V4MAPPED(&octets) && octets.s6_addr[12] == 127);
}

std::string ListenAddress::text() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    if (storage.ss_family == AF_INET) {
        ::inet_ntop(AF_INET, &v4(*this).sin_addr, buffer, sizeof buffer);
        return std::string(buffer) + ":" + std::to_string(ntohs(v4(*this).sin_port));
    }
    ::inet_ntop(AF_INET6, &v6(*this).sin6_addr, buffer, sizeof buffer);
    return "[" + std::string(buffer) + "]:" + std::to_string(ntohs(v6(*this).sin6_port));
}

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = port_of(text.substr(colon + 1));
    std::string host(text.substr(0, colon));
    if (!port) return std::nullopt;
    if (host.starts_with('[') && host.ends_with(']')) {
        sockaddr_in6 socket{};
        socket.sin6_family = AF_INET6;
        socket.sin6_port = htons(*port);
        if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &socket.sin6_addr) != 1) return std::nullopt;
        return wrapped(socket);
    }
    sockaddr_in socket{};
    socket.sin_family = AF_INET;
    socket.sin_port = htons(*port);
    if (::inet_pton(AF_INET, host.c_str(), &socket.sin_addr) != 1) return std::nullopt;
    return wrapped(socket);
}

std::vector<KeySpec> keys() {
    return {
        {"listen", KeyKind::address, std::string(default_listen),
         "Literal address and port of the HTTP server; port 0 takes a free one, which the log names."},
        {"allow_remote", KeyKind::yes_no, "no",
         "Listen on an address that is not loopback: then anyone who reaches it reads partners and failures."},
    };
}

std::vector<SettingsProblem> check(const SettingsNode& node) {
    const auto* listen = node.find("listen");
    if (!listen) return {};
    const auto address = parse_listen_address(listen->value);
    const auto problem = [&](const std::string& text) {
        return std::vector<SettingsProblem>{
            {listen->file, listen->line, "listen", "\"" + listen->value + "\" " + text}};
    };
    if (!address) return problem("is no literal address with a port, such as 127.0.0.1:9464 or [::1]:9464");
    if (!address->loopback() && node.text("allow_remote", "no") != "yes")
        return problem(
            "is not a loopback address, and who reaches it reads your partners and failures without a password: listen "
            "on 127.0.0.1, or write allow_remote yes");
    return {};
}

std::optional<ListenAddress> read(const SettingsNode& node) {
    const auto address = parse_listen_address(node.text("listen", default_listen));
    if (!address || (!address->loopback() && node.text("allow_remote", "no") != "yes")) return std::nullopt;
    return address;
}

}  // namespace postern::counters
