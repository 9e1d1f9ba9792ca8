// `cert export`: a certificate as PEM, DER (.cer) or, where its key may leave, as PKCS#12; or a request once more.
#pragma once

#include <tls-mutual/store/command.hpp>

namespace postern::tls_mutual {

VerbResult cert_export(const CommandContext&, const Arguments&);

}  // namespace postern::tls_mutual
