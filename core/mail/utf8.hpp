// Whether octets are UTF-8 as RFC 3629 has it: shortest form, no surrogates, nothing past U+10FFFF.
#pragma once

#include <string_view>

namespace postern::mail {

bool is_utf8(std::string_view text);
bool is_ascii(std::string_view text);

}  // namespace postern::mail
