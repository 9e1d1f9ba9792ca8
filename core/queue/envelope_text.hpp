// The envelope of a queued message as text: versioned, one field a line, ended by a checksum, so that a torn or foreign
// file is told from a whole one. Format: docs/spool.md.
#pragma once

#include <base/failure.hpp>
#include <queue/spool.hpp>
#include <string>
#include <string_view>

namespace postern::queue {

std::string to_text(const QueuedMessage& message);
Result<QueuedMessage> parse_envelope(std::string_view text);

}  // namespace postern::queue
