// Servers on loopback for tests: an origin whose every answer the test writes by hand, and real daemons as child
// processes. All end with their object; only own pids are ever signalled.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace postern::test {

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline int listen_on_loopback(std::uint16_t& port) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 512) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::runtime_error("cannot listen on loopback");
    port = ntohs(address.sin_port);
    return listener;
}

// For daemons that cannot be told "port 0".
inline std::uint16_t free_port() {
    std::uint16_t port = 0;
    ::close(listen_on_loopback(port));
    return port;
}

// Answers each request with what the handler returns, octet for octet; nothing returned: never answers, keeps the
// connection open.
class RawOrigin {
public:
    using Handler = std::function<std::optional<std::string>(const std::string& request)>;

    explicit RawOrigin(Handler handler) : handler_(std::move(handler)), listener_(listen_on_loopback(port_)) {
        if (::pipe2(wake_, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        thread_ = std::thread([this] { run(); });
    }
    RawOrigin(const RawOrigin&) = delete;
    RawOrigin& operator=(const RawOrigin&) = delete;
    ~RawOrigin() {
        ::close(wake_[1]);
        thread_.join();
        for (const int held : held_) ::close(held);
        ::close(listener_);
        ::close(wake_[0]);
    }
    std::uint16_t port() const { return port_; }
    std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
    std::vector<std::string> requests() const {
        std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    void run() {
        for (;;) {
            pollfd waits[2] = {{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
            if (::poll(waits, 2, -1) < 0) continue;
            if (waits[1].revents != 0) return;
            const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection >= 0) serve(connection);
        }
    }
    void serve(int connection) {
        std::string request;
        char buffer[4096];
        while (request.find("\r\n\r\n") == std::string::npos) {
            const auto got = ::read(connection, buffer, sizeof buffer);
            if (got <= 0) break;
            request.append(buffer, static_cast<std::size_t>(got));
        }
        {
            std::lock_guard lock(mutex_);
            requests_.push_back(request);
        }
        const auto answer = handler_(request);
        if (!answer) {
            held_.push_back(connection);
            return;
        }
        std::string_view left = *answer;
        while (!left.empty()) {
            const auto sent = ::send(connection, left.data(), left.size(), MSG_NOSIGNAL);
            if (sent <= 0) break;
            left.remove_prefix(static_cast<std::size_t>(sent));
        }
        ::shutdown(connection, SHUT_WR);
        ::close(connection);
    }

    Handler handler_;
    std::uint16_t port_ = 0;
    int listener_;
    int wake_[2] = {-1, -1};
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::vector<int> held_;
    std::thread thread_;
};

// Says the same to everybody as soon as they connect, without listening to them, then closes or keeps quiet.
class RawServer {
public:
    struct Words {
        std::string text;
        bool closes = false;
    };
    explicit RawServer(Words words) : words_(std::move(words)), listener_(listen_on_loopback(port_)) {
        if (::pipe2(wake_, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        thread_ = std::thread([this] { run(); });
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;
    ~RawServer() {
        ::close(wake_[1]);
        thread_.join();
        for (const auto& one : talks_) ::close(one.socket);
        ::close(listener_);
        ::close(wake_[0]);
    }
    std::uint16_t port() const { return port_; }
    void wait_for_connections(std::size_t count) const {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return taken_ >= count; }))
            throw std::runtime_error("nobody connects");
    }

private:
    struct Talk {
        int socket;
        std::size_t said;
    };
    void run() {
        for (;;) {
            std::vector<pollfd> waits{{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
            for (const auto& one : talks_) waits.push_back({one.socket, POLLOUT, 0});
            for (std::size_t i = 0; i < talks_.size(); ++i)
                if (talks_[i].said == words_.text.size()) waits[i + 2].events = 0;
            if (::poll(waits.data(), waits.size(), -1) < 0) continue;
            if (waits[1].revents != 0) return;
            for (std::size_t i = 0; i < talks_.size(); ++i) {
                if (waits[i + 2].revents & (POLLERR | POLLHUP)) ::close(std::exchange(talks_[i].socket, -1));
                else if (waits[i + 2].revents != 0) go_on(talks_[i]);
            }
            std::erase_if(talks_, [](const Talk& one) { return one.socket < 0; });
            if (waits[0].revents != 0) take();
        }
    }
    void take() {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket < 0) return;
        talks_.push_back({socket, 0});
        go_on(talks_.back());
        std::lock_guard lock(mutex_);
        ++taken_;
        changed_.notify_all();
    }
    void go_on(Talk& talk) {
        const auto sent =
            ::send(talk.socket, words_.text.data() + talk.said, words_.text.size() - talk.said, MSG_NOSIGNAL);
        if (sent > 0) talk.said += static_cast<std::size_t>(sent);
        const bool gone = sent < 0 && errno != EAGAIN;
        if (!gone && !(words_.closes && talk.said == words_.text.size())) return;
        ::shutdown(talk.socket, SHUT_WR);
        ::close(std::exchange(talk.socket, -1));
    }

    Words words_;
    std::uint16_t port_ = 0;
    int listener_;
    int wake_[2] = {-1, -1};
    std::vector<Talk> talks_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::size_t taken_ = 0;
    std::thread thread_;
};

inline std::string http_ok(const std::string& body, const std::string& fields = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
inline void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

// A child process that is ready once it takes connections on its port.
class Daemon {
public:
    Daemon(std::vector<std::string> command, std::uint16_t port) {
        pid_ = ::fork();
        if (pid_ == 0) {
            std::vector<char*> arguments;
            for (auto& word : command) arguments.push_back(word.data());
            arguments.push_back(nullptr);
            const int nowhere = ::open("/dev/null", O_RDWR);
            ::dup2(nowhere, 1);
            ::dup2(nowhere, 2);
            ::execvp(arguments[0], arguments.data());
            ::_exit(127);
        }
        for (int attempt = 0; attempt < 1000; ++attempt) {
            if (::waitpid(pid_, nullptr, WNOHANG) == pid_) break;
            if (takes_connections(port)) return;
            ::poll(nullptr, 0, 10);  // nothing tells when a foreign daemon listens: asked again, at most 10 s
        }
        stop();
        throw std::runtime_error(command[0] + " did not start; is its package installed?");
    }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon() { stop(); }

private:
    static bool takes_connections(std::uint16_t port) {
        const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = loopback(port);
        const bool taken = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(probe);
        return taken;
    }
    void stop() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    pid_t pid_ = 0;
};

// nginx that serves `folder`.
class Nginx {
public:
    // With PEM files of a certificate and its key it serves https.
    explicit Nginx(const std::string& folder, const std::string& certificate = {}, const std::string& key = {})
        : port_(free_port()), tls_(!certificate.empty()), daemon_(command(folder, certificate, key), port_) {}
    std::uint16_t port() const { return port_; }
    std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
        return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port_) + path;
    }

private:
    std::vector<std::string> command(const std::string& folder, const std::string& certificate,
                                     const std::string& key) const {
        const auto file = folder + "/nginx.conf";
        const auto tls = tls_ ? "ssl_certificate " + certificate + "; ssl_certificate_key " + key + ";" : std::string();
        std::string temporary;
        for (const auto* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
            temporary += std::string(kind) + "_temp_path " + folder + "/" + kind + ";\n";
        write_file(file, "daemon off; master_process off; pid " + folder + "/nginx.pid; error_log " + folder +
                             "/error.log;\nevents {}\nhttp { access_log " + folder + "/access.log;\n" + temporary +
                             "server { listen 127.0.0.1:" + std::to_string(port_) + (tls_ ? " ssl; " + tls : ";") +
                             " root " + folder + "; } }\n");
        return {"/usr/sbin/nginx", "-c", file, "-p", folder, "-e", folder + "/error.log"};
    }
    std::uint16_t port_;
    bool tls_;
    Daemon daemon_;
};

// Squid that lets nobody through without user `lab` and password `secret`, by "basic" or by "digest".
class Squid {
public:
    Squid(const std::string& folder, const std::string& scheme)
        : folder_(folder), port_(free_port()), daemon_(command(scheme), port_) {}
    std::uint16_t port() const { return port_; }
    std::string log() const { return read_file(folder_ + "/access.log"); }

private:
    std::vector<std::string> command(const std::string& scheme) const {
        namespace fs = std::filesystem;
        fs::create_directories(folder_);  // squid gives up root before it writes, so that its folder is anybody's
        fs::permissions(fs::path(folder_).parent_path(),
                        fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
        fs::permissions(folder_, fs::perms::all);
        write_file(folder_ + "/users",
                   scheme == "basic" ? "lab:$apr1$postern1$gh7HyWm.8s2tqcQxSwyEZ.\n" : "lab:secret\n");
        const auto program = scheme == "basic" ? "/usr/lib/squid/basic_ncsa_auth " : "/usr/lib/squid/digest_file_auth ";
        const auto file = folder_ + "/squid.conf";
        write_file(file,
                   "http_port 127.0.0.1:" + std::to_string(port_) + "\npid_filename none\ncache deny all\n" +
                       "access_log stdio:" + folder_ + "/access.log\ncache_log " + folder_ + "/cache.log\n" +
                       "coredump_dir " + folder_ + "\nnetdb_filename none\npinger_enable off\nshutdown_lifetime 0\n" +
                       "memory_cache_shared off\ncache_mem 1 MB\nbuffered_logs off\n" + "auth_param " + scheme +
                       " program " + program + folder_ + "/users\nauth_param " + scheme + " children 1\nauth_param " +
                       scheme + " realm lab\nacl known proxy_auth REQUIRED\nhttp_access allow known\n" +
                       "http_access deny all\n");
        return {"/usr/sbin/squid", "-N", "-f", file};
    }
    std::string folder_;
    std::uint16_t port_;
    Daemon daemon_;
};

class Tinyproxy {
public:
    explicit Tinyproxy(const std::string& folder, const std::string& more = {})
        : port_(free_port()), daemon_(command(folder, more), port_) {}
    std::uint16_t port() const { return port_; }

private:
    std::vector<std::string> command(const std::string& folder, const std::string& more) const {
        const auto file = folder + "/tinyproxy.conf";
        write_file(file, "Port " + std::to_string(port_) + "\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogFile \"" +
                             folder + "/tinyproxy.log\"\n" + more);
        return {"tinyproxy", "-d", "-c", file};
    }
    std::uint16_t port_;
    Daemon daemon_;
};

}  // namespace postern::test
