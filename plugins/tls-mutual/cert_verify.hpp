// `postern cert verify`: one certificate judged as the daemon would, from files alone or with the lists fetched. Exit 0
// valid, 1 invalid, 75 cannot be decided now, 2 usage.
#pragma once

#include <postern/host.hpp>
#include <tls-mutual/judge.hpp>

namespace postern::tls_mutual {

class CertVerify final : public AdminVerbs {
public:
    CertVerify(Host& host, Judge& judge) : host_(host), judge_(judge) {}
    std::vector<VerbSpec> verbs() const override;
    Pending<VerbResult> run(std::vector<std::string> words) override;

private:
    Host& host_;
    Judge& judge_;
};

}  // namespace postern::tls_mutual
