// Which certificates a list speaks of (RFC 5280 6.3.3 b): the certificate's distribution points held against the list's
// issuingDistributionPoint. Pure.
#pragma once

#include <x509/certificate.hpp>
#include <x509/crl.hpp>

namespace postern::crl {

// The reasons for which this list would tell of the certificate (bits as in ReasonFlags), 0 where it is not in its
// scope. `why` then says what does not fit.
std::uint16_t covered_reasons(const x509::CertificateList& list, const x509::Certificate& certificate,
                              std::string& why);

}  // namespace postern::crl
