// Sockets, and GnuTLS over them; see connection.hpp. GnuTLS pulls and pushes through the same waiting calls.
#include <gnutls/x509.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <crl/connection.hpp>
#include <cstring>
#include <postern/fetch_rules.hpp>

namespace postern::crl {
namespace {

Failure failed(std::string text) { return {"crl-unreachable", std::move(text)}; }

class Trust final : public TlsTrust {
public:
    Trust() { gnutls_certificate_allocate_credentials(&credentials); }
    ~Trust() override { gnutls_certificate_free_credentials(credentials); }
    Trust(const Trust&) = delete;
    Trust& operator=(const Trust&) = delete;
    gnutls_certificate_credentials_t credentials = nullptr;
};

class Socket final : public Connection {
public:
    Socket(int descriptor, std::string peer, const Limits& limits)
        : descriptor_(descriptor), peer_(std::move(peer)), limits_(limits) {}
    ~Socket() override {
        if (tls_) gnutls_deinit(tls_);
        ::close(descriptor_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    std::string start_tls(const std::string& host, std::shared_ptr<const TlsTrust> trust) override;
    long read(void* into, std::size_t size) override;
    long write(const void* from, std::size_t size) override;
    const std::string& fault() const override { return fault_; }
    bool heard() const override { return heard_; }
    void allow_octets(std::uint64_t most) override { octets_left_ = most; }
    int descriptor() const override { return descriptor_; }
    std::string peer() const override { return peer_; }

private:
    template <class Call>
    long until_done(short events, Call call);
    long fail(std::string why) {
        if (fault_.empty()) fault_ = std::move(why);
        errno = ETIMEDOUT;
        return -1;
    }
    static ssize_t pull(gnutls_transport_ptr_t self, void* into, std::size_t size);
    static ssize_t push(gnutls_transport_ptr_t self, const void* from, std::size_t size);
    long pull(void* into, std::size_t size);
    long push(const void* from, std::size_t size);
    std::string why_refused() const;

    int descriptor_;
    std::string peer_;
    Limits limits_;
    std::uint64_t octets_left_ = 1u << 20;
    std::string fault_;
    bool heard_ = false;
    std::shared_ptr<const TlsTrust> trust_;
    gnutls_session_t tls_ = nullptr;
};

template <class Call>
long Socket::until_done(short events, Call call) {
    for (;;) {
        if (!fault_.empty()) return fail({});
        const auto count = call();
        if (count >= 0) return count;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(std::strerror(errno));
        const auto waited = limits_.wait(descriptor_, events);
        if (waited == Waited::stopped) return fail("the fetcher is shutting down");
        if (waited == Waited::too_late) return fail("no answer in time");
    }
}

long Socket::pull(void* into, std::size_t size) {
    if (octets_left_ == 0) return fail("it sends more than was allowed");
    const auto count =
        until_done(POLLIN, [&] { return ::recv(descriptor_, into, std::min<std::uint64_t>(size, octets_left_), 0); });
    if (count > 0) octets_left_ -= static_cast<std::uint64_t>(count);
    heard_ |= count > 0;
    // A trickle that never stops for long is ended here: poll alone would never find it late.
    return limits_.left().count() == 0 ? fail("no answer in time") : count;
}

long Socket::push(const void* from, std::size_t size) {
    return until_done(POLLOUT, [&] { return ::send(descriptor_, from, size, MSG_NOSIGNAL); });
}

ssize_t Socket::pull(gnutls_transport_ptr_t self, void* into, std::size_t size) {
    return static_cast<Socket*>(self)->pull(into, size);
}
ssize_t Socket::push(gnutls_transport_ptr_t self, const void* from, std::size_t size) {
    return static_cast<Socket*>(self)->push(from, size);
}

std::string Socket::why_refused() const {
    std::string text = "its TLS certificate is not trusted";
    gnutls_datum_t words{};
    const auto status = gnutls_session_get_verify_cert_status(tls_);
    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &words, 0) == 0) {
        text += ": " + std::string(reinterpret_cast<const char*>(words.data), words.size);
        gnutls_free(words.data);
    }
    while (text.ends_with(' ')) text.pop_back();
    return text + " (ldap_roots may name its authority)";
}

std::string Socket::start_tls(const std::string& host, std::shared_ptr<const TlsTrust> trust) {
    trust_ = std::move(trust);
    if (gnutls_init(&tls_, GNUTLS_CLIENT) != 0) return "out of memory";
    gnutls_priority_set_direct(tls_, "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1", nullptr);
    gnutls_credentials_set(tls_, GNUTLS_CRD_CERTIFICATE, static_cast<const Trust&>(*trust_).credentials);
    if (!is_literal_address(host)) gnutls_server_name_set(tls_, GNUTLS_NAME_DNS, host.data(), host.size());
    gnutls_session_set_verify_cert(tls_, host.c_str(), 0);
    gnutls_transport_set_ptr(tls_, this);
    gnutls_transport_set_pull_function(tls_, &Socket::pull);
    gnutls_transport_set_push_function(tls_, &Socket::push);
    gnutls_transport_set_pull_timeout_function(tls_, [](gnutls_transport_ptr_t, unsigned) { return 1; });
    int code = 0;
    do code = gnutls_handshake(tls_);
    while (code != 0 && gnutls_error_is_fatal(code) == 0);
    if (code == 0) return {};
    if (!fault_.empty()) return fault_;
    if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) return why_refused();
    return std::string("TLS: ") + gnutls_strerror(code);
}

long Socket::read(void* into, std::size_t size) {
    if (!tls_) return pull(into, size);
    for (;;) {
        const auto count = gnutls_record_recv(tls_, into, size);
        if (count >= 0) return count;
        if (!fault_.empty() || gnutls_error_is_fatal(static_cast<int>(count)) != 0)
            return fail(std::string("TLS: ") + gnutls_strerror(static_cast<int>(count)));
    }
}

long Socket::write(const void* from, std::size_t size) {
    if (!tls_) return push(from, size);
    for (;;) {
        const auto count = gnutls_record_send(tls_, from, size);
        if (count >= 0) return count;
        if (!fault_.empty() || gnutls_error_is_fatal(static_cast<int>(count)) != 0)
            return fail(std::string("TLS: ") + gnutls_strerror(static_cast<int>(count)));
    }
}

// Empty once it is connected, else why not.
std::string connect_to(int descriptor, const SocketAddress& address, const Limits& limits) {
    if (::connect(descriptor, address.get(), address.size) == 0) return {};
    if (errno != EINPROGRESS) return std::strerror(errno);
    const auto waited = limits.wait(descriptor, POLLOUT);
    if (waited == Waited::stopped) return "the fetcher is shutting down";
    if (waited == Waited::too_late) return "no connection in time";
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 ? std::string() : std::strerror(error);
}

}  // namespace

Outcome<std::shared_ptr<const TlsTrust>> TlsTrust::load(const std::vector<std::string>& files) {
    const auto trust = std::make_shared<Trust>();
    if (!trust->credentials) return failed("out of memory");
    gnutls_certificate_set_x509_system_trust(trust->credentials);
    for (const auto& file : files)
        if (gnutls_certificate_set_x509_trust_file(trust->credentials, file.c_str(), GNUTLS_X509_FMT_PEM) <= 0)
            return failed(file + " (ldap_roots) holds no certificate in PEM");
    return std::shared_ptr<const TlsTrust>(trust);
}

Outcome<std::unique_ptr<Connection>> Connection::open(const std::vector<SocketAddress>& addresses,
                                                      const Limits& limits) {
    std::string told;
    auto left = addresses.size();
    for (const auto& address : addresses) {
        // A dead address costs its share of the time, so that the next one is still tried.
        const auto share = limits.at_most(limits.left() / static_cast<int>(left--));
        const int descriptor = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (descriptor < 0) return failed(std::strerror(errno));
        auto socket = std::make_unique<Socket>(descriptor, address.text(), limits);
        const auto why = connect_to(descriptor, address, share);
        if (why.empty()) return std::unique_ptr<Connection>(std::move(socket));
        told += (told.empty() ? "" : ", ") + address.text() + ": " + why;
    }
    return failed(told);
}

}  // namespace postern::crl
