// `postern crl list` and `postern crl refresh`: asked of the daemon, whose lists they are.
#pragma once

#include <crl/flights.hpp>

namespace postern::crl {

class CrlVerbs final : public AdminVerbs {
public:
    CrlVerbs(Host& host, ListStore& store, Flights& flights) : host_(host), store_(store), flights_(flights) {}
    std::vector<VerbSpec> verbs() const override;
    Pending<VerbResult> run(std::vector<std::string> words) override;

private:
    VerbResult list(bool json) const;
    Pending<VerbResult> refresh(const std::string& only);

    Host& host_;
    ListStore& store_;
    Flights& flights_;
};

}  // namespace postern::crl
