// CRC32C (Castagnoli; RFC 3720 B.4): against torn writes, stale blocks and rotten bits, not against an attacker who can
// write the spool. By the processor's own instruction where it has one, else by a table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::queue {

// Of what came before and these octets: crc32c(b, crc32c(a)) is that of ab.
std::uint32_t crc32c(std::string_view octets, std::uint32_t before = 0);

}  // namespace postern::queue
