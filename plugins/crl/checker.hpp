// Roles RevocationChecker and PooledRevocationChecker: answers from the lists at hand, and where they do not suffice
// and fetching is allowed, waits for the flights of the certificates' distribution points and asks again.
#pragma once

#include <crl/flights.hpp>
#include <crl/verdict.hpp>
#include <postern/revocation_pool.hpp>

namespace postern::crl {

class Checker final : public RevocationChecker, public PooledRevocationChecker {
public:
    Checker(ListStore& store, Flights& flights) : store_(store), flights_(flights) {}
    Pending<std::vector<CertificateRevocation>> check(RevocationRequest request) override;
    Pending<std::vector<CertificateRevocation>> check_with_pool(PooledRevocationRequest request) override;
    std::uint64_t epoch() const override { return store_.epoch(); }
    std::uint64_t pool_epoch() const override { return store_.epoch(); }

private:
    ListStore& store_;
    Flights& flights_;
};

}  // namespace postern::crl
