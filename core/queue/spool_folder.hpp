// A spool's folder: who has it open (one process at a time), and of which kind it is. A folder of the other kind is
// named and refused while anything waits in it.
#pragma once

#include <queue/spool.hpp>

namespace postern::queue {

// `format`: "log" or "files". A failure `spool-in-use`: another process has it.
// `tell`: what fails beside the mail; any thread.
Result<std::unique_ptr<Spool>> open_spool(const std::string& folder, const std::string& format,
                                          std::function<void(const Problem&)> tell = {});

// Everything that waits, from the kind that it is of to the other; how much it was. Interrupted, it is done again.
Result<std::size_t> convert_spool(const std::string& folder, const std::string& format);

}  // namespace postern::queue
