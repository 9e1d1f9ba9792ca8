// One connection's octets, in clear or inside TLS: sockets on one side, the sans-I/O TlsSession on the other. Knows no
// SMTP. One worker's; made as shared_ptr because a timer may outlive the coroutine that set it.
#pragma once

#include <array>
#include <memory>
#include <net/asio.hpp>
#include <postern/tls.hpp>
#include <string>

namespace postern::net {

enum class Read : std::uint8_t { data, closed, timed_out, failed };

class Stream : public std::enable_shared_from_this<Stream> {
public:
    explicit Stream(tcp::socket socket);

    // Appends what came; an idle stream holds a small buffer only.
    awaitable<Read> read(std::string& into, Deadline deadline);
    bool poll(std::string& into);  // what is there already, without waiting; false: the connection ended or broke
    // `last`: with the close_notify, where there is TLS.
    awaitable<bool> write(std::string octets, Deadline deadline, bool last = false);
    // False: it broke, the session's error() says how; nothing may follow in clear.
    // `on_hello`: called once where the session stops at the client hello; it makes the choice.
    using OnHello = std::function<awaitable<void>()>;
    // `slow`: the pool for the next step, where our key lies in a token and the step may block; null for this thread.
    using Slow = std::function<asio::thread_pool*()>;
    // `may_hold`: told how many octets of the peer's the handshake has taken so far; false ends it.
    using MayHold = std::function<bool(std::size_t)>;
    awaitable<bool> handshake(Ref<TlsSession> session, Deadline deadline, Slow slow, OnHello on_hello = {},
                              MayHold may_hold = {});
    // On its worker's thread: the read that waits ends as if its time were over.
    void interrupt();
    void close();

    const TlsSession* tls() const { return tls_.get(); }
    const std::string& local() const { return local_; }  // "192.0.2.1:25"
    const std::string& remote() const { return remote_; }
    const std::string& remote_address() const { return remote_address_; }

private:
    // As it stands on the wire; valid until the next co_await.
    struct Received {
        Read how = Read::failed;
        std::string_view octets;
    };
    awaitable<Received> receive(Deadline deadline);
    std::string_view with_rest(std::size_t first);
    awaitable<bool> write_raw(Bytes octets, Deadline deadline);
    enum class Inside : std::uint8_t { data, closed, failed, more_needed };
    Inside decrypt(std::string& into);
    void arm(Deadline deadline);
    void run_timer();
    awaitable<TlsStatus> step(TlsSession& session, asio::thread_pool* pool);

    tcp::socket socket_;
    std::array<char, 128> first_;  // where each read begins: a command, and most records that carry one, fit
    asio::steady_timer timer_;
    static constexpr Deadline nothing_awaited = Deadline::max();
    Deadline deadline_ = nothing_awaited;
    bool timed_out_ = false, timer_runs_ = false;
    bool broken_ = false;  // its end was met, or a write failed
    Ref<TlsSession> tls_;
    std::string local_, remote_, remote_address_;
};

std::string to_text(const tcp::endpoint& endpoint);

}  // namespace postern::net
