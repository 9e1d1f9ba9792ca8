// One list as it is kept: decoded, immutable, shared by all who look into it. Whether a certificate's key signed it is
// found out once a key and remembered.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <postern/trust.hpp>
#include <x509/certificate.hpp>
#include <x509/crl.hpp>
#include <x509/signature.hpp>

namespace postern::crl {

class KnownList {
public:
    KnownList(x509::CertificateList decoded, std::string source)
        : list(std::move(decoded)), source_(std::move(source)) {}

    const x509::CertificateList list;
    const std::string& source() const { return source_; }  // URL or file

    // Its issuer by name, and the key may sign lists (keyUsage) and did sign this one.
    bool signed_by(const x509::Certificate& issuer, Profile profile) const;
    // When a certificate in its scope was last asked about; what nobody asks for is the first to go.
    void touch(Time at) const;
    Time touched() const { return Time(Time::duration(touched_.load(std::memory_order_relaxed))); }

private:
    struct Tried {
        Bytes spki;
        Profile profile;
        bool good;
    };
    std::string source_;
    mutable std::mutex mutex_;
    mutable std::vector<Tried> tried_;
    mutable std::atomic<Time::rep> touched_{0};
};
using KnownListRef = std::shared_ptr<const KnownList>;

// By CRL number where both have one, else by thisUpdate.
bool older(const x509::CertificateList& one, const x509::CertificateList& than);

}  // namespace postern::crl
