#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <crl/lookup.hpp>
#include <cstring>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace postern::crl {
namespace {

constexpr std::size_t most_addresses = 16;
// A resolver that hangs keeps its threads: more than so many at once, and the next question fails at once.
constexpr int most_under_way = 16;
std::atomic<int> under_way{0};

// Shared by who asks and the thread that blocks; the later one frees it.
struct Question {
    std::string host, port;
    Signal done;
    std::mutex mutex;
    int error = 0;
    std::vector<SocketAddress> found;
};

void ask(Question& question) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(question.host.c_str(), question.port.c_str(), &hints, &list);
    {
        std::lock_guard lock(question.mutex);
        question.error = error;
        for (const auto* one = list; one && question.found.size() < most_addresses; one = one->ai_next) {
            if (one->ai_addrlen > sizeof(sockaddr_storage)) continue;
            auto& address = question.found.emplace_back();
            std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
            address.size = one->ai_addrlen;
        }
    }
    if (list) ::freeaddrinfo(list);
    question.done.raise();
}

Failure failed(std::string text) { return {"crl-unreachable", std::move(text)}; }

}  // namespace

BytesView SocketAddress::octets() const {
    if (storage.ss_family == AF_INET)
        return {reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in&>(storage).sin_addr), 4};
    if (storage.ss_family == AF_INET6) return {reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr.s6_addr, 16};
    return {};
}

std::string SocketAddress::text() const {
    char text[INET6_ADDRSTRLEN] = "?";
    const bool six = storage.ss_family == AF_INET6;
    ::inet_ntop(storage.ss_family, octets().data(), text, sizeof text);
    const auto port = ntohs(six ? reinterpret_cast<const sockaddr_in6&>(storage).sin6_port
                                : reinterpret_cast<const sockaddr_in&>(storage).sin_port);
    return (six ? "[" + std::string(text) + "]" : std::string(text)) + ":" + std::to_string(port);
}

Outcome<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port, const Limits& limits) {
    if (under_way.fetch_add(1) >= most_under_way) {
        under_way.fetch_sub(1);
        return failed("DNS does not answer, and too many wait for it already");
    }
    const auto question = std::make_shared<Question>();
    question->host = host;
    question->port = std::to_string(port);
    try {
        std::thread([question] {
            ask(*question);
            under_way.fetch_sub(1);
        }).detach();  // this library is never unloaded, so that a late one still has its code
    } catch (const std::system_error&) {
        under_way.fetch_sub(1);
        return failed("no thread is left to ask DNS");
    }
    const auto waited = limits.wait(question->done.descriptor(), POLLIN);
    if (waited == Waited::stopped) return failed("the fetcher is shutting down");
    if (waited == Waited::too_late) return failed("DNS did not answer in time");
    std::lock_guard lock(question->mutex);
    if (question->error != 0) return failed(std::string("DNS: ") + ::gai_strerror(question->error));
    if (question->found.empty()) return failed("DNS knows no address of it");
    return std::move(question->found);
}

}  // namespace postern::crl
