#include "wire.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace postern::bench {

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

sockaddr_in address_of(const std::string& literal, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, literal.c_str(), &address.sin_addr) != 1) fail(literal + " is no IPv4 address");
    return address;
}

}  // namespace

Credentials::Credentials(const std::string& chain_file, const std::string& key_file) {
    gnutls_certificate_allocate_credentials(&credentials_);
    if (chain_file.empty()) return;
    const int status =
        gnutls_certificate_set_x509_key_file(credentials_, chain_file.c_str(), key_file.c_str(), GNUTLS_X509_FMT_PEM);
    if (status < 0) fail(chain_file + ", " + key_file + ": " + gnutls_strerror(status));
}

Wire::~Wire() {
    if (tls_) gnutls_deinit(tls_);
    ::close(socket_);
}

std::unique_ptr<Wire> Wire::connect(const std::string& address, std::uint16_t port, const std::string& source) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto wire = std::make_unique<Wire>(socket);
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto from = address_of(source, 0), to = address_of(address, port);
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) fail("cannot bind to " + source);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("no connection to " + address);
    return wire;
}

void Wire::secure(const Credentials& own, bool as_server, const std::string& earlier) {
    if (!rest_.empty() && taken_ < rest_.size()) fail("octets behind STARTTLS");
    gnutls_init(&tls_, as_server ? GNUTLS_SERVER : GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
    gnutls_set_default_priority(tls_);
    gnutls_credentials_set(tls_, GNUTLS_CRD_CERTIFICATE, own.get());
    if (as_server) gnutls_certificate_server_set_request(tls_, GNUTLS_CERT_REQUEST);
    if (!earlier.empty()) gnutls_session_set_data(tls_, earlier.data(), earlier.size());
    gnutls_transport_set_int(tls_, socket_);
    gnutls_handshake_set_timeout(tls_, 60000);
    int status;
    do status = gnutls_handshake(tls_);
    while (status < 0 && !gnutls_error_is_fatal(status));
    if (status < 0) fail(std::string("handshake: ") + gnutls_strerror(status));
}

std::string Wire::session_so_far() const {
    gnutls_datum_t data{nullptr, 0};
    if (!tls_ || gnutls_session_get_data2(tls_, &data) != 0) return {};
    std::string octets(reinterpret_cast<const char*>(data.data), data.size);
    gnutls_free(data.data);
    return octets;
}

void Wire::send(std::string_view octets) {
    while (!octets.empty()) {
        const auto sent = tls_ ? gnutls_record_send(tls_, octets.data(), octets.size())
                               : ::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED) continue;
        if (sent <= 0) fail("the connection broke while sending");
        octets.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::size_t Wire::more(char* into, std::size_t size) {
    for (;;) {
        const auto got = tls_ ? gnutls_record_recv(tls_, into, size) : ::recv(socket_, into, size, 0);
        if (tls_ && (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)) continue;
        return got > 0 ? static_cast<std::size_t>(got) : 0;
    }
}

bool Wire::line(std::string& into) {
    for (;;) {
        const auto end = rest_.find('\n', taken_);
        if (end != std::string::npos) {
            into.assign(rest_, taken_, end - taken_ - (end > taken_ && rest_[end - 1] == '\r' ? 1 : 0));
            taken_ = end + 1;
            return true;
        }
        rest_.erase(0, taken_);
        taken_ = 0;
        const auto size = rest_.size();
        rest_.resize(size + 65536);
        rest_.resize(size + more(rest_.data() + size, 65536));
        if (rest_.size() == size) return false;
    }
}

std::string Wire::reply(char wanted) {
    std::string text;
    do
        if (!line(text)) fail("the connection ended where a reply was due");
    while (text.size() > 3 && text[3] == '-');
    if (text.empty() || text[0] != wanted) fail("unwelcome reply: " + text);
    return text;
}

}  // namespace postern::bench
