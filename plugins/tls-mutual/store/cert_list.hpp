// `cert list`, `cert show`, `cert which`: what is there and what would be chosen. They change nothing. `cert users` is
// what a command asks the daemon before it takes something out.
#pragma once

#include <tls-mutual/store/command.hpp>

namespace postern::tls_mutual {

VerbResult cert_list(const CommandContext&, const Arguments&);
VerbResult cert_show(const CommandContext&, const Arguments&);
VerbResult cert_which(const CommandContext&, const Arguments&);
VerbResult cert_users(const CommandContext&, const Arguments&);

}  // namespace postern::tls_mutual
