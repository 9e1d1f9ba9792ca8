// Base64 (RFC 4648 4), without lines.
#pragma once

#include <string>
#include <string_view>

namespace postern::mail {

void append_base64(std::string& out, std::string_view octets);
std::string to_base64(std::string_view octets);

}  // namespace postern::mail
