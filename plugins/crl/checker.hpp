// Role RevocationChecker: answers from the lists at hand, and where they do not suffice and fetching is allowed, waits
// for the flights of the certificates' distribution points and asks again.
#pragma once

#include <crl/flights.hpp>
#include <crl/verdict.hpp>

namespace postern::crl {

class Checker final : public RevocationChecker {
public:
    Checker(ListStore& store, Flights& flights) : store_(store), flights_(flights) {}
    Pending<std::vector<CertificateRevocation>> check(RevocationRequest request) override;
    std::uint64_t epoch() const override { return store_.epoch(); }

private:
    ListStore& store_;
    Flights& flights_;
};

}  // namespace postern::crl
