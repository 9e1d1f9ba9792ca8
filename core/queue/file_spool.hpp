// The reference spool: one message, one file for its octets (ID.msg) and one for its envelope (ID.env). The envelope's
// rename is the commit: a body without envelope was never acknowledged and is dropped at the next start.
#pragma once

#include <queue/spool.hpp>

namespace postern::queue {

// Makes the folders where they are missing; the failure names folder and fault.
Result<std::unique_ptr<Spool>> open_file_spool(const std::string& folder);

}  // namespace postern::queue
