// What deciders change in a header section: fields added in front, removed, rewritten. Pure; what is not touched stays
// octet for octet. Lines are folded where RFC 5322 2.1.1 asks for it.
#pragma once

#include <postern/event.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::net {

// Effects of other kinds are left alone.
std::string edited(std::string_view header, const std::vector<Effect>& effects);

}  // namespace postern::net
