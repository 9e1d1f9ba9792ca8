// Which addresses this machine has: mail for itself sent to itself is a loop. Asked for each delivery, looked up now
// and then. Any thread.
#pragma once

#include <net/asio.hpp>

namespace postern::net {

bool is_own_address(const asio::ip::address& address);

}  // namespace postern::net
