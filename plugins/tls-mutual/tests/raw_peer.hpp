// An end that GnuTLS plays directly, with priorities and data that our engine would never use.
#pragma once

#include "pki.hpp"

namespace tls_test {

// A bare GnuTLS end in memory.
class RawPeer {
public:
    RawPeer(unsigned flags, const char* priority) {
        must(gnutls_init(&session_, flags | GNUTLS_NONBLOCK));
        must(gnutls_priority_set_direct(session_, priority, nullptr));
        must(gnutls_certificate_allocate_credentials(&credentials_));
        must(gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_));
        gnutls_transport_set_ptr(session_, this);
        gnutls_transport_set_pull_function(session_, [](void* self, void* into, std::size_t size) -> ssize_t {
            auto& in = static_cast<RawPeer*>(self)->in_;
            if (in.empty()) {
                gnutls_transport_set_errno(static_cast<RawPeer*>(self)->session_, EAGAIN);
                return -1;
            }
            const auto count = std::min(size, in.size());
            std::copy_n(in.begin(), count, static_cast<std::uint8_t*>(into));
            in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
            return static_cast<ssize_t>(count);
        });
        gnutls_transport_set_pull_timeout_function(
            session_, [](void* self, unsigned) { return static_cast<RawPeer*>(self)->in_.empty() ? 0 : 1; });
        gnutls_transport_set_push_function(session_, [](void* self, const void* from, std::size_t size) -> ssize_t {
            const auto* octets = static_cast<const std::uint8_t*>(from);
            auto& out = static_cast<RawPeer*>(self)->out_;
            out.insert(out.end(), octets, octets + size);
            return static_cast<ssize_t>(size);
        });
    }
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;
    ~RawPeer() {
        gnutls_deinit(session_);
        gnutls_certificate_free_credentials(credentials_);
    }

    void use(const Pair& pair) {
        const gnutls_datum_t certificate = text(pair.certificate), key = text(pair.key);
        must(gnutls_certificate_set_x509_key_mem(credentials_, &certificate, &key, GNUTLS_X509_FMT_PEM));
    }
    gnutls_session_t session() { return session_; }
    // Reads what came: tickets are taken on the way.
    std::string read() {
        char block[1000];
        const auto count = gnutls_record_recv(session_, block, sizeof block);
        return count > 0 ? std::string(block, block + count) : std::string();
    }
    Bytes hello;  // a client's first flight
    // What a client needs to continue this session.
    Bytes data() {
        tls_mutual::OwnedDatum made;
        must(gnutls_session_get_data2(session_, &made.datum));
        const auto octets = made.view();
        return {octets.begin(), octets.end()};
    }
    gnutls_certificate_credentials_t credentials() { return credentials_; }
    static gnutls_datum_t text(const std::string& octets) {
        return {reinterpret_cast<unsigned char*>(const_cast<char*>(octets.data())),
                static_cast<unsigned>(octets.size())};
    }

    // Handshakes with `end` until neither moves; what `end` says last.
    TlsStatus shake(TlsSession& end) {
        auto status = TlsStatus::want_input;
        for (int turn = 0; turn < 20; ++turn) {
            // Once it is done another call would renegotiate.
            if (!done_) done_ = gnutls_handshake(session_) == 0;
            exchange(end);
            status = end.handshake();
            exchange(end);
        }
        return status;
    }
    void exchange(TlsSession& end) {
        if (hello.empty()) hello = out_;
        end.feed(out_);
        out_.clear();
        end.drain(in_);
    }

private:
    gnutls_session_t session_ = nullptr;
    gnutls_certificate_credentials_t credentials_ = nullptr;
    Bytes in_, out_;
    bool done_ = false;
};

}  // namespace tls_test
