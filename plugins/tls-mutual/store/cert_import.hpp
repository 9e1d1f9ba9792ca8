// `cert import`: a PKCS#12 file with its key, or a CA's answer to a request that waits in the store. The chain is
// completed and judged before anything is kept.
#pragma once

#include <tls-mutual/store/command.hpp>

namespace postern::tls_mutual {

VerbResult cert_import(const CommandContext&, const Arguments&);

}  // namespace postern::tls_mutual
