// Which certificates a list speaks of (RFC 5280 6.3.3 b): the certificate's distribution points held against the list's
// issuingDistributionPoint. Pure.
#pragma once

#include <x509/certificate.hpp>
#include <x509/crl.hpp>

namespace postern::crl {

struct Coverage {
    // For which the list would tell that the certificate is revoked (bits as in ReasonFlags); 0: it is not in its
    // scope.
    std::uint16_t reasons = 0;
    // For which its silence says that the certificate is good.
    std::uint16_t clears = 0;
    std::string why;  // what does not fit, where `clears` lacks
};
Coverage coverage(const x509::CertificateList& list, const x509::Certificate& certificate);

}  // namespace postern::crl
