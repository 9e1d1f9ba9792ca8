#include <array>
#include <boost/asio/write.hpp>
#include <net/await.hpp>
#include <net/stream.hpp>

namespace postern::net {

// One a worker instead of one a session: an idle session owns no more than first_.
static thread_local std::array<char, 65536> scratch;
static thread_local std::array<std::uint8_t, 16384> plain;

// What a peer may send without a handshake coming to its end, or an octet of data coming out: chains of ten large
// certificates fit, while a library would gather one message of 16 MiB.
static constexpr std::size_t most_without_fruit = 128u << 10;
static std::span<const std::uint8_t> as_bytes(std::string_view octets) {
    return {reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()};
}

std::string to_text(const tcp::endpoint& endpoint) {
    const auto address = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

Stream::Stream(tcp::socket socket) : socket_(std::move(socket)), timer_(socket_.get_executor()) {
    error_code error;
    const auto local = socket_.local_endpoint(error);
    if (!error) local_ = to_text(local);
    const auto remote = socket_.remote_endpoint(error);
    if (!error) {
        remote_ = to_text(remote);
        remote_address_ = remote.address().to_string();
    }
    socket_.set_option(tcp::no_delay(true), error);
    socket_.non_blocking(true, error);
}

// A deadline is set for every read and write and nearly never met: the timer is left to run, and looks when it goes off
// whether there is a later one by now.
void Stream::arm(Deadline deadline) {
    timed_out_ = false;
    deadline_ = deadline;
    if (!timer_runs_ || timer_.expiry() > deadline) run_timer();
}

void Stream::run_timer() {
    timer_runs_ = true;
    timer_.expires_at(deadline_);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
        auto self = weak.lock();
        if (error || !self) return;  // set anew, or over
        self->timer_runs_ = false;
        if (self->deadline_ == nothing_awaited) return;
        if (self->deadline_ > std::chrono::steady_clock::now()) return self->run_timer();
        self->timed_out_ = true;
        error_code ignored;
        self->socket_.cancel(ignored);
    });
}

void Stream::interrupt() {
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
}

// To wait for a socket without reading costs an epoll_ctl each time; a read that waits costs none.
awaitable<Stream::Received> Stream::receive(Deadline deadline) {
    Received received;
    if (broken_) {  // no event would come any more, but what it said last may be there
        error_code error;
        const auto count = socket_.read_some(asio::buffer(first_), error);
        if (!error) received = {Read::data, with_rest(count)};
        co_return received;
    }
    auto self = shared_from_this();
    arm(deadline);
    auto [error, count] = co_await socket_.async_read_some(asio::buffer(first_), no_throw);
    deadline_ = nothing_awaited;
    broken_ = error && error != asio::error::operation_aborted;
    if (!error) received = {Read::data, with_rest(count)};
    else if (timed_out_) received.how = Read::timed_out;
    else received.how = error == asio::error::eof ? Read::closed : Read::failed;
    co_return received;
}

// What is there beyond the first octets, read at once; what fails now fails at the next read.
std::string_view Stream::with_rest(std::size_t first) {
    if (first < first_.size()) return {first_.data(), first};
    std::copy(first_.begin(), first_.end(), scratch.begin());
    error_code ignored;
    const auto rest = socket_.read_some(asio::buffer(asio::buffer(scratch) + first), ignored);
    return {scratch.data(), first + rest};
}

Stream::Inside Stream::decrypt(std::string& into) {
    const auto before = into.size();
    for (;;) {
        std::size_t count = 0;
        const auto status = tls_->read(plain, count);
        if (count) into.append(reinterpret_cast<const char*>(plain.data()), count);
        if (status == TlsStatus::ok && count) continue;
        if (into.size() > before) return Inside::data;
        if (status == TlsStatus::closed) return Inside::closed;
        return status == TlsStatus::failed ? Inside::failed : Inside::more_needed;
    }
}

awaitable<Read> Stream::read(std::string& into, Deadline deadline) {
    if (!tls_) {
        const auto received = co_await receive(deadline);
        into.append(received.octets);
        co_return received.how;
    }
    for (std::size_t taken = 0; taken <= most_without_fruit;) {
        // Records that came with an earlier one wait inside the session: ask it before the socket.
        const auto inside = decrypt(into);
        if (inside == Inside::data) co_return Read::data;
        if (inside == Inside::closed) co_return Read::closed;
        Bytes made;
        tls_->drain(made);  // KeyUpdate answers, our alert
        if (!made.empty() && !co_await write_raw(std::move(made), deadline)) co_return Read::failed;
        if (inside == Inside::failed) co_return Read::failed;
        const auto received = co_await receive(deadline);
        // An end without close_notify may be a cut: the caller keeps nothing of an unfinished message either way.
        if (received.how != Read::data) co_return received.how;
        taken += received.octets.size();
        tls_->feed(as_bytes(received.octets));
    }
    co_return Read::failed;
}

bool Stream::poll(std::string& into) {
    error_code error;
    const auto count = socket_.read_some(asio::buffer(scratch), error);
    if (error == asio::error::would_block) return true;
    broken_ = error.failed();
    if (broken_) return false;
    if (!tls_) {
        into.append(scratch.data(), count);
        return true;
    }
    tls_->feed(as_bytes({scratch.data(), count}));
    const auto inside = decrypt(into);
    return inside == Inside::data || inside == Inside::more_needed;
}

// Nearly always the socket takes all of it at once.
awaitable<bool> Stream::write_raw(Bytes octets, Deadline deadline) {
    error_code error;
    auto sent = socket_.write_some(asio::buffer(octets), error);
    broken_ |= error && error != asio::error::would_block;
    if (broken_) co_return false;
    if (sent == octets.size()) co_return true;
    auto self = shared_from_this();
    arm(deadline);
    const auto rest = asio::buffer(octets) + sent;
    auto [failed, count] = co_await asio::async_write(socket_, rest, no_throw);
    deadline_ = nothing_awaited;
    broken_ |= failed.failed();
    co_return !failed && sent + count == octets.size();
}

awaitable<bool> Stream::write(std::string octets, Deadline deadline, bool last) {
    if (octets.empty()) co_return true;
    const auto* data = reinterpret_cast<const std::uint8_t*>(octets.data());
    Bytes wire;
    if (tls_) {
        if (tls_->write({data, octets.size()}) != TlsStatus::ok) co_return false;
        if (last) tls_->close();
        tls_->drain(wire);
    } else {
        wire.assign(data, data + octets.size());
    }
    co_return co_await write_raw(std::move(wire), deadline);
}

// The session is the pool's alone until it comes back.
awaitable<TlsStatus> Stream::step(TlsSession& session, asio::thread_pool* pool) {
    if (!pool) co_return session.handshake();
    auto work = [&session] { return session.handshake(); };
    co_return co_await off_loop(*pool, std::move(work));
}

awaitable<bool> Stream::handshake(Ref<TlsSession> session, Deadline deadline, Slow slow, OnHello on_hello,
                                  MayHold may_hold) {
    for (std::size_t taken = 0;;) {
        const auto status = co_await step(*session, slow());
        // The last of it, a ticket mostly, goes with what is said next, or before the next wait.
        if (status == TlsStatus::ok) break;
        Bytes made;
        session->drain(made);
        if (!made.empty() && !co_await write_raw(std::move(made), deadline)) co_return false;
        if (status == TlsStatus::hello && on_hello) {
            co_await on_hello();
            continue;
        }
        if (status != TlsStatus::want_input) co_return false;
        const auto received = co_await receive(deadline);
        if (received.how != Read::data) co_return false;
        taken += received.octets.size();
        if (taken > most_without_fruit || (may_hold && !may_hold(taken))) co_return false;
        session->feed(as_bytes(received.octets));
    }
    tls_ = std::move(session);
    co_return true;
}

void Stream::close() {
    error_code ignored;
    if (tls_) {
        // close_notify goes out if the socket takes it at once; nobody waits for it.
        tls_->close();
        Bytes made;
        tls_->drain(made);
        socket_.write_some(asio::buffer(made), ignored);
    }
    timer_.cancel();
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
}

}  // namespace postern::net
