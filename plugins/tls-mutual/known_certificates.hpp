// Certificates that were read before, as they were read: partners show the same few in every handshake. What a
// certificate says depends on its octets alone, so nothing here grows old. Judges nobody. Bounded; any thread.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <postern/certificate.hpp>
#include <string_view>
#include <unordered_map>

namespace postern::tls_mutual {

struct KnownCertificate {
    CertificateFacts facts;
    // The key as GnuTLS reads it was looked at, and is the one in the facts.
    bool key_agrees = false;
};

class KnownCertificates {
public:
    static constexpr std::size_t most = 512;
    static constexpr std::size_t longest = 8u << 10;  // octets of one; a longer one is read each time

    std::shared_ptr<const KnownCertificate> find(BytesView der);
    void keep(KnownCertificate certificate);
    std::size_t size() const;

private:
    using Entries = std::list<std::shared_ptr<const KnownCertificate>>;  // the one asked for last in front
    mutable std::mutex mutex_;
    Entries entries_;
    std::unordered_map<std::string_view, Entries::iterator> by_octets_;  // the keys lie in the entries
};

}  // namespace postern::tls_mutual
