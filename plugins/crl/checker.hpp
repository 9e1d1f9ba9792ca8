// Roles RevocationChecker, PooledRevocationChecker and SignerHints: answers from the lists at hand, and where they do
// not suffice and fetching is allowed, waits for the flights of the certificates' distribution points and asks again.
#pragma once

#include <crl/flights.hpp>
#include <crl/readers.hpp>
#include <crl/verdict.hpp>
#include <postern/revocation_pool.hpp>
#include <postern/signer_hints.hpp>

namespace postern::crl {

class Checker final : public RevocationChecker, public PooledRevocationChecker, public SignerHints {
public:
    // `readers`: told what each certificate needs; null: nobody keeps count.
    Checker(ListStore& store, Flights& flights, Readers* readers = nullptr)
        : store_(store), flights_(flights), readers_(readers) {}
    Pending<std::vector<CertificateRevocation>> check(RevocationRequest request) override;
    Pending<std::vector<CertificateRevocation>> check_with_pool(PooledRevocationRequest request) override;
    std::vector<std::string> signer_urls(const std::vector<Bytes>& path) override;
    std::uint64_t epoch() const override { return store_.epoch(); }
    std::uint64_t pool_epoch() const override { return store_.epoch(); }

private:
    ListStore& store_;
    Flights& flights_;
    Readers* readers_;
};

}  // namespace postern::crl
