// `cert enable`, `cert disable`, `cert remove`: what becomes of a certificate that is in the store.
#pragma once

#include <tls-mutual/store/command.hpp>

namespace postern::tls_mutual {

VerbResult cert_enable(const CommandContext&, const Arguments&);
VerbResult cert_disable(const CommandContext&, const Arguments&);
VerbResult cert_remove(const CommandContext&, const Arguments&);

}  // namespace postern::tls_mutual
