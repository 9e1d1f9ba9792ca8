// The sink: takes every message at once and keeps nothing of it but its id, and whether it came whole. Offers STARTTLS
// with a client certificate asked for where it has a certificate. After SIGTERM it prints JSON: messages, distinct,
// broken.
//
//   bench_mail_sink PORT [CHAIN-FILE KEY-FILE]       prints "ready" when it listens
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "wire.hpp"

using namespace postern::bench;

namespace {

class Seen {
public:
    void message(long id, bool whole) {
        std::lock_guard lock(mutex_);
        ++messages_;
        if (!whole) ++broken_;
        ++ids_[id];
    }
    void connection() {
        std::lock_guard lock(mutex_);
        ++connections_;
    }
    void print_count() {
        std::lock_guard lock(mutex_);
        if (messages_ == told_) return;
        told_ = messages_;
        std::printf("so far %ld\n", messages_);
        std::fflush(stdout);
    }
    void print() {
        std::lock_guard lock(mutex_);
        std::printf("{\"messages\": %ld, \"distinct\": %zu, \"broken\": %ld, \"connections\": %ld}\n", messages_,
                    ids_.size(), broken_, connections_);
        std::fflush(stdout);
    }

private:
    std::mutex mutex_;
    std::map<long, int> ids_;
    long messages_ = 0, broken_ = 0, connections_ = 0, told_ = 0;
};

// Header fields up to X-Bench, then the body's hash, dots unstuffed (RFC 5321 4.5.2).
void take_message(Wire& wire, Seen& seen) {
    std::string line;
    long id = -1;
    unsigned long long wanted = 0;
    bool in_body = false;
    auto got = hash_begin;
    for (;;) {
        if (!wire.line(line)) throw std::runtime_error("ended inside a message");
        if (line == ".") break;
        if (!in_body) {
            if (line.starts_with("X-Bench: ")) std::sscanf(line.c_str() + 9, "%ld %llx", &id, &wanted);
            in_body = line.empty();
            continue;
        }
        got = hash(hash(got, line.starts_with('.') ? std::string_view(line).substr(1) : line), "\r\n");
    }
    seen.message(id, got == wanted);
}

void serve(int socket, const Credentials* own, Seen& seen) {
    Wire wire(socket);
    bool tls = false;
    seen.connection();
    wire.send("220 sink ESMTP\r\n");
    std::string line;
    while (wire.line(line)) {
        const auto verb = line.substr(0, 4);
        if (verb == "EHLO")
            wire.send(std::string("250-sink\r\n250-PIPELINING\r\n") + (own && !tls ? "250-STARTTLS\r\n" : "") +
                      "250 8BITMIME\r\n");
        else if (verb == "HELO" || verb == "MAIL" || verb == "RCPT" || verb == "RSET" || verb == "NOOP")
            wire.send("250 2.0.0 OK\r\n");
        else if (verb == "STAR") {
            wire.send("220 2.0.0 go ahead\r\n");
            wire.secure(*own, true);
            tls = true;
        } else if (verb == "DATA") {
            wire.send("354 go ahead\r\n");
            take_message(wire, seen);
            wire.send("250 2.0.0 taken\r\n");
        } else if (verb == "QUIT") return wire.send("221 2.0.0 bye\r\n");
        else wire.send("502 5.5.1 no\r\n");
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 4) return std::fputs("usage: bench_mail_sink PORT [CHAIN-FILE KEY-FILE]\n", stderr), 64;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, nullptr);
    static Seen seen;
    static std::unique_ptr<Credentials> own;
    try {
        if (argc == 4) own = std::make_unique<Credentials>(argv[2], argv[3]);
    } catch (const std::exception& wrong) {
        return std::fprintf(stderr, "%s\n", wrong.what()), 64;
    }
    const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    ::setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listening, 512) != 0)
        return std::perror("bench_mail_sink"), 1;
    std::thread([listening] {
        for (;;) {
            const int one = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
            if (one < 0) continue;
            const int no_delay = 1;
            ::setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
            std::thread([one] {
                try {
                    serve(one, own.get(), seen);
                } catch (const std::exception& wrong) {
                    std::fprintf(stderr, "sink: %s\n", wrong.what());
                }
            }).detach();
        }
    }).detach();
    std::puts("ready");
    std::fflush(stdout);
    const timespec while_waiting{0, 50'000'000};
    while (sigtimedwait(&term, nullptr, &while_waiting) != SIGTERM) seen.print_count();
    seen.print();
    std::_Exit(0);
}
