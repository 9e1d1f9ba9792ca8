// `cert request`, `cert new`, `cert clone`: what the paper's New-ExchangeCertificate does.
#pragma once

#include <tls-mutual/store/command.hpp>

namespace postern::tls_mutual {

VerbResult cert_request(const CommandContext&, const Arguments&);
VerbResult cert_new(const CommandContext&, const Arguments&);
VerbResult cert_clone(const CommandContext&, const Arguments&);

}  // namespace postern::tls_mutual
