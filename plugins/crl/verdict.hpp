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

// `path`: the certificate's issuer first, then on to the anchor: who of them has the issuer's name may have signed a
// list, as while a CA changes its key. `lists`: those under that name. Unknown or unusable where they do not suffice.
CertificateRevocation decide(const x509::Certificate& certificate, std::span<const x509::Certificate> path,
                             const std::vector<KnownListRef>& lists, const Terms& terms);

inline constexpr std::chrono::minutes clock_skew{5};
// A list without nextUpdate is good until the next one is asked for.
inline constexpr std::chrono::hours without_next_update{24};

std::string date(Time time);  // "2026-10-02 14:00Z"

}  // namespace postern::crl
