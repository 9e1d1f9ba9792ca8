// Role OwnCertificates (since 1.1): which of our own certificates is shown where nothing names one. One provider, the
// TlsEngine's plugin; inline (what it answers lies in memory).
//
// A connector asks by its fqdn and by what it is about to be; the answer may be another one a moment later, since
// certificates are renewed while sessions run. A session keeps what it began with.
#pragma once

#include <postern/tls.hpp>

namespace postern {

enum class CertificateUse : std::uint8_t { server = 1, client = 2 };

struct CertificateWish {
    std::string fqdn;  // canonical
    CertificateUse use = CertificateUse::server;
    std::string sha256;  // pinned: this one or none; empty for the best that fits
};

class OwnCertificates {
public:
    static constexpr std::string_view id = "postern.own-certificates.1";
    virtual ~OwnCertificates() = default;
    // Empty where nothing fits.
    virtual Ref<TlsIdentity> choose(const CertificateWish&) = 0;
    // Its key lies in a token: a handshake step with it may block, and belongs on a pool. Any identity of the engine.
    virtual bool waits_for_token(const TlsIdentity&) = 0;
    // After a handshake: which certificate of ours the peer was shown; null for none. As long as the session lives.
    virtual const CertificateFacts* presented(const TlsSession&) = 0;
};

}  // namespace postern
