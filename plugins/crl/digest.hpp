// SHA-256 as lower-case hex: what files are named by, what proves them, what certificates are known by.
#pragma once

#include <postern/types.hpp>
#include <string>

namespace postern::crl {

std::string digest(BytesView octets);

}  // namespace postern::crl
