// Role PooledRevocationChecker: a RevocationChecker that is also shown the certificates around the one valid path.
//
// A list may be signed by somebody who does not stand in that path: the CA under its other key, or a CRL issuer (RFC
// 5280 6.3.3 f). His certificate is among what the peer sent or what is known here. Since SDK 1.1, beside the role
// of 1.0: the ChainJudge asks this one where it is there, else RevocationChecker, for which such a list stays
// unverifiable.
#pragma once

#include <postern/trust.hpp>

namespace postern {

struct PooledRevocationRequest {
    RevocationRequest path;   // as RevocationChecker gets it
    std::vector<Bytes> pool;  // DER: unverified, in no order, may hold the path's own
};

class PooledRevocationChecker {
public:
    static constexpr std::string_view id = "postern.pooled-revocation-checker.1";
    virtual ~PooledRevocationChecker() = default;
    // One answer a certificate of the path but the anchor, in the path's order.
    virtual Pending<std::vector<CertificateRevocation>> check_with_pool(PooledRevocationRequest) = 0;
    // Changes whenever what is known changes. Any thread.
    virtual std::uint64_t pool_epoch() const = 0;
};

}  // namespace postern
