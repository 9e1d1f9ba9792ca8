// What the lists at hand say about one certificate: RFC 5280 6.3 over complete lists. Pure; knows no cache, no network.
#pragma once

#include <crl/known_list.hpp>

namespace postern::crl {

struct Terms {
    Time at{};
    std::chrono::seconds grace{0};
    RevocationSource source = RevocationSource::except_short_lived;
    Profile profile = Profile::modern;
};

// `lists`: those under the name of the certificate's issuer. Unknown where they do not suffice; `sources` then says
// whether fetching is worth while (CertificateRevocation::standing unknown or unusable).
CertificateRevocation decide(const x509::Certificate& certificate, const x509::Certificate& issuer,
                             const std::vector<KnownListRef>& lists, const Terms& terms);

inline constexpr std::chrono::minutes clock_skew{5};
// A list without nextUpdate is good until the next one is asked for.
inline constexpr std::chrono::hours without_next_update{24};

std::string date(Time time);  // "2026-10-02 14:00Z"

}  // namespace postern::crl
