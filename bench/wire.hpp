// A blocking SMTP connection for load generator and sink: a socket, GnuTLS on it where wanted, lines in and out.
#pragma once

#include <gnutls/gnutls.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace postern::bench {

// Certificate and key of one side; empty: that side shows none.
class Credentials {
public:
    Credentials(const std::string& chain_file, const std::string& key_file);
    ~Credentials() { gnutls_certificate_free_credentials(credentials_); }
    Credentials(const Credentials&) = delete;
    Credentials& operator=(const Credentials&) = delete;
    gnutls_certificate_credentials_t get() const { return credentials_; }

private:
    gnutls_certificate_credentials_t credentials_ = nullptr;
};

// Not for two threads at once. What goes wrong throws std::runtime_error with what was being done.
class Wire {
public:
    explicit Wire(int socket) : socket_(socket) {}
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;
    ~Wire();

    static std::unique_ptr<Wire> connect(const std::string& address, std::uint16_t port, const std::string& source);
    // The peer's certificate is asked for and not judged: that is the server under test's to do.
    void secure(const Credentials& own, bool as_server, const std::string& earlier = {});
    // To continue this TLS session in a later connection, as `earlier`: what the server's last ticket says.
    std::string session_so_far() const;
    bool resumed() const { return tls_ && gnutls_session_is_resumed(tls_) != 0; }

    void send(std::string_view octets);
    // Without CRLF; false at the end of the connection.
    bool line(std::string& into);
    // Reads a whole reply; throws unless it begins with the digit.
    std::string reply(char wanted);

private:
    std::size_t more(char* into, std::size_t size);
    int socket_;
    gnutls_session_t tls_ = nullptr;
    std::string rest_;
    std::size_t taken_ = 0;
};

// FNV-1a over the body as it travels, for "arrived whole".
constexpr std::uint64_t hash_begin = 1469598103934665603u;
inline std::uint64_t hash(std::uint64_t so_far, std::string_view octets) {
    for (const unsigned char c : octets) so_far = (so_far ^ c) * 1099511628211u;
    return so_far;
}

}  // namespace postern::bench
