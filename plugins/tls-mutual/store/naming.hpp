// From what was typed to what a certificate shall say: subject, names, purposes, lifetime. Knows the rules of the white
// paper's appendix 1 about common names; makes nothing.
#pragma once

#include <postern/host.hpp>
#include <tls-mutual/store/arguments.hpp>
#include <tls-mutual/store/making.hpp>

namespace postern::tls_mutual {

struct NamedTerms {
    CertificateTerms terms;
    std::vector<std::string> shown;     // names that a human reads otherwise: "xn--... (mïcrosoft.com)"
    std::vector<std::string> warnings;  // one sentence each
};

// `like`: a certificate whose subject and names hold where the arguments say nothing (`cert clone`); null for none.
Outcome<NamedTerms> name_terms(const Arguments&, const ConfigurationView&, const CertificateFacts* like);

}  // namespace postern::tls_mutual
