// See server.hpp; start at answer(). The library runs one thread of its own for all connections, another one of ours
// accepts them.
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <counters/exposition.hpp>
#include <counters/server.hpp>
#include <cstring>

namespace postern::counters {
namespace {

struct Content {
    unsigned status;
    std::string_view type;
    std::string text;
};

Content content(const Server& server, std::string_view path, std::string_view method) {
    if (path != "/metrics" && path != "/healthz") return {MHD_HTTP_NOT_FOUND, "text/plain", "not found\n"};
    if (method != "GET" && method != "HEAD") return {MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n"};
    if (path == "/healthz") return {MHD_HTTP_OK, "text/plain", "ok\n"};
    return {MHD_HTTP_OK, content_type, server.page()};
}

MHD_Result send(MHD_Connection* connection, Content content) {
    auto* response = MHD_create_response_from_buffer(content.text.size(), content.text.data(), MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, "Content-Type", std::string(content.type).c_str());
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (content.status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(response, "Allow", "GET, HEAD");
    const auto queued = MHD_queue_response(connection, content.status, response);
    MHD_destroy_response(response);
    return queued;
}

// Answers before any body is read: the library then closes a connection that wanted to send one.
MHD_Result answer(void* self, MHD_Connection* connection, const char* path, const char* method, const char*,
                  const char*, std::size_t*, void**) {
    try {
        return send(connection, content(*static_cast<Server*>(self), path, method));
    } catch (...) {
        return MHD_NO;
    }
}

constexpr int pause_milliseconds = 100;

void notify(void* self, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode code) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info) return;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) static_cast<Server*>(self)->closed(info->connect_fd);
}

Failure cannot(const ListenAddress& address, const std::string& what) {
    return {"listen-failed", "cannot listen on " + address.text() + ": " + what +
                                 "; free the address, or set another in counters { listen ... }"};
}

// Fills in the port that the kernel chose.
Outcome<int> listening_socket(ListenAddress& address) {
    const auto fail = [&](int socket) {
        const std::string what = std::strerror(errno);
        if (socket >= 0) ::close(socket);
        return cannot(address, what);
    };
    const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) return fail(socket);
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    // [::] must not take IPv4 as well: what listens is what was written.
    if (address.storage.ss_family == AF_INET6) ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (::bind(socket, address.get(), address.size) != 0 || ::listen(socket, 32) != 0) return fail(socket);
    auto* real = reinterpret_cast<sockaddr*>(&address.storage);
    if (::getsockname(socket, real, &address.size) != 0) return fail(socket);
    return socket;
}

}  // namespace

Outcome<std::unique_ptr<Server>> Server::listen(const ListenAddress& wanted, Page metrics, ServerLimits limits) {
    auto address = wanted;
    const auto socket = listening_socket(address);
    if (!socket) return socket.failure;
    std::unique_ptr<Server> server(new Server(address, std::move(metrics), limits));
    if (auto failure = server->start(*socket)) return std::move(*failure);
    return server;
}

std::optional<Failure> Server::start(int listener) {
    listener_ = listener;
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET,
                               0, nullptr, nullptr, &answer, this, MHD_OPTION_CONNECTION_LIMIT, 2 * limits_.connections,
                               MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits_.octets, MHD_OPTION_CONNECTION_TIMEOUT,
                               static_cast<unsigned>(limits_.idle.count()), MHD_OPTION_NOTIFY_CONNECTION, &notify, this,
                               MHD_OPTION_END);
    if (!daemon_ || stop_ < 0) return cannot(address_, "the HTTP library did not start");
    acceptor_ = std::thread([this] { accept_all(); });
    return std::nullopt;
}

bool Server::room() {
    std::lock_guard lock(mutex_);
    return open_.size() < limits_.connections;
}

// The library would try again at once, without end, where no descriptor is left for a connection.
void Server::accept_all() {
    bool breathe = false;
    for (;;) {
        const bool listening = !breathe && room();
        pollfd waits[] = {{stop_, POLLIN, 0}, {listening ? listener_ : -1, POLLIN, 0}};
        breathe = false;
        if (::poll(waits, 2, listening ? -1 : pause_milliseconds) < 0 && errno != EINTR) return;
        if (waits[0].revents) return;
        if (!listening || !waits[1].revents) continue;
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        const int socket =
            ::accept4(listener_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        breathe = socket < 0 && errno != EAGAIN && errno != ECONNABORTED;
        if (socket < 0) continue;
        // Under the lock: a socket that the library refuses is closed by it, and its number soon another's.
        std::lock_guard lock(mutex_);
        open_[socket] = Clock::now();
        if (MHD_add_connection(daemon_, socket, reinterpret_cast<sockaddr*>(&from), size) != MHD_YES)
            open_.erase(socket);
    }
}

Server::~Server() {
    const std::uint64_t one = 1;
    if (acceptor_.joinable() && ::write(stop_, &one, sizeof one) > 0) acceptor_.join();
    if (daemon_) MHD_stop_daemon(daemon_);
    if (listener_ >= 0) ::close(listener_);
    if (stop_ >= 0) ::close(stop_);
}

// Called before the library closes the socket: sweep() never meets a number that is somebody else's by then.
void Server::closed(int socket) {
    std::lock_guard lock(mutex_);
    open_.erase(socket);
}

void Server::sweep() {
    const auto oldest = Clock::now() - limits_.life;
    std::lock_guard lock(mutex_);
    for (const auto& [socket, since] : open_)
        if (since <= oldest) ::shutdown(socket, SHUT_RDWR);
}

}  // namespace postern::counters
