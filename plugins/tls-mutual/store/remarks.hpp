// What partners will not like about a certificate of ours, said before it costs mail: at request, import and enable.
#pragma once

#include <tls-mutual/store/making.hpp>

namespace postern::tls_mutual {

// Each a sentence that ends in what to do.
std::vector<std::string> remarks_on(const CertificateFacts& leaf);
std::vector<std::string> remarks_on(const CertificateTerms&, KeyType);

// Whether a partner can fetch from there: http or https at a public name.
bool reachable_by_partners(std::string_view url);

}  // namespace postern::tls_mutual
