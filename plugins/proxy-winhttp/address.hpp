// Which addresses a fetched URL may lead to: the public internet, nothing of ours and nothing near us.
//
// This is the guard against certificates that make the edge speak to 127.0.0.1, 169.254.169.254 or the hub. Pure.
#pragma once

#include <sys/socket.h>

#include <string>

namespace postern::proxy_winhttp {

// As postern/fetch_rules.hpp says; false for anything that is neither IPv4 nor IPv6.
bool is_public(const sockaddr& address);
std::string to_text(const sockaddr& address);  // "127.0.0.1:80", "[::1]:80"

}  // namespace postern::proxy_winhttp
