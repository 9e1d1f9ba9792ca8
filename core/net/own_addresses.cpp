#include <ifaddrs.h>
#include <netinet/in.h>

#include <cstring>
#include <mutex>
#include <net/own_addresses.hpp>
#include <set>

namespace postern::net {

static std::set<asio::ip::address> interface_addresses() {
    std::set<asio::ip::address> found;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return found;
    for (const auto* one = list; one; one = one->ifa_next) {
        if (!one->ifa_addr) continue;
        if (one->ifa_addr->sa_family == AF_INET) {
            sockaddr_in four{};
            std::memcpy(&four, one->ifa_addr, sizeof four);
            found.insert(asio::ip::address_v4(ntohl(four.sin_addr.s_addr)));
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 six{};
            std::memcpy(&six, one->ifa_addr, sizeof six);
            asio::ip::address_v6::bytes_type bytes;
            std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
            found.insert(asio::ip::address_v6(bytes));
        }
    }
    ::freeifaddrs(list);
    return found;
}

bool is_own_address(const asio::ip::address& address) {
    static constexpr std::chrono::minutes good_for{1};
    static std::mutex mutex;
    static std::set<asio::ip::address> known;
    static Deadline until{};
    std::lock_guard lock(mutex);
    if (const auto now = std::chrono::steady_clock::now(); now > until) {
        known = interface_addresses();
        until = now + good_for;
    }
    return known.contains(address);
}

}  // namespace postern::net
