// Keys in a PKCS#11 token, by p11-kit's modules: made there, used there, never leaving. The only file that knows how a
// token is reached.
//
// The PIN comes from a file (or a systemd credential); nobody is ever asked for it, and a wrong one is not tried twice,
// since tokens lock themselves.
#pragma once

#include <tls-mutual/handles.hpp>
#include <tls-mutual/store/making.hpp>

namespace postern::tls_mutual {

// For the whole process, since the library keeps one function for it. A name without `/` is one in
// $CREDENTIALS_DIRECTORY. The file is read when a token asks.
void set_token_pin_file(const std::string& file);

// `typed`: a token's label, or an URI (RFC 7512).
std::string token_uri(const std::string& typed);
// Makes a key; its URI. The failure names token and remedy.
Outcome<std::string> make_token_key(const std::string& token, KeyType);
PrivateKeyHandle open_token_key(const std::string& uri, int& status);
Outcome<Done> remove_token_key(const std::string& uri);

}  // namespace postern::tls_mutual
