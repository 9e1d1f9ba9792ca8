// See server.hpp; start at answer(). The library runs one thread of its own for all connections.
#include <fcntl.h>
#include <microhttpd.h>
#include <unistd.h>

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

void notify(void* self, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode code) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info) return;
    auto& server = *static_cast<Server*>(self);
    code == MHD_CONNECTION_NOTIFY_STARTED ? server.opened(info->connect_fd) : server.closed(info->connect_fd);
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
    daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC, 0, nullptr, nullptr,
                               &answer, this, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
                               limits_.connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits_.octets,
                               MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(limits_.idle.count()),
                               MHD_OPTION_NOTIFY_CONNECTION, &notify, this, MHD_OPTION_END);
    if (daemon_) return std::nullopt;
    ::close(listener);
    return cannot(address_, "the HTTP library did not start");
}

Server::~Server() {
    if (daemon_) MHD_stop_daemon(daemon_);
}

void Server::opened(int socket) {
    std::lock_guard lock(mutex_);
    open_[socket] = Clock::now();
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
