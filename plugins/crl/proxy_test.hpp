// `postern proxy test CERT`: fetches the lists that a certificate names, as the daemon would, and says which way each
// request went and what came back. The verb is crl's: whose rules decide what may be fetched, and who can read a list.
#pragma once

#include <crl/flights.hpp>

namespace postern::crl {

class ProxyTest final : public AdminVerbs {
public:
    explicit ProxyTest(Flights& flights, Host& host) : flights_(flights), host_(host) {}
    std::vector<VerbSpec> verbs() const override;
    Pending<VerbResult> run(std::vector<std::string> words) override;

private:
    Flights& flights_;
    Host& host_;
};

}  // namespace postern::crl
