// Keys in a PKCS#11 token, by p11-kit's modules: made there, used there, never leaving. The only file that knows how a
// token is reached; how TLS signs with such a key is token_key.hpp's.
//
// The PIN comes from a file (or a systemd credential); nobody is ever asked for it, and a wrong one is not tried twice,
// since tokens lock themselves.
#pragma once

#include <tls-mutual/handles.hpp>
#include <tls-mutual/store/folder.hpp>
#include <tls-mutual/store/making.hpp>
#include <tls-mutual/store/token_calls.hpp>

namespace postern::tls_mutual {

// For the whole process, since the library keeps one function for it. A name without `/` is one in
// $CREDENTIALS_DIRECTORY. The file is read when a token asks.
void set_token_pin_file(const std::string& file);

// `typed`: a token's label, or an URI (RFC 7512).
std::string token_uri(const std::string& typed);
std::string token_part(const std::string& uri);  // what of a key's URI says which token it is
// For the command line, where an administrator waits: the call on a thread of its own, and why it did not come back.
template <class T>
Outcome<T> ask_token(std::chrono::seconds time, const std::string& token, std::function<Outcome<T>()> call) {
    auto done = TokenCalls::of_process().within(time, token_part(token_uri(token)), std::move(call));
    if (done) return std::move(*done);
    return Failure{"token", token + ": the token does not answer within " + std::to_string(time.count()) +
                                " s; see p11tool --list-tokens"};
}

// Makes a key; its URI. The failure names token and remedy.
Outcome<std::string> make_token_key(const std::string& token, KeyType);
// Blocks on the token, as long as that pleases.
PrivateKeyHandle open_token_key(const std::string& uri, int& status);
// Why the last one failed, in a sentence.
std::string token_problem(int status);
Outcome<Done> remove_token_key(const std::string& uri);

}  // namespace postern::tls_mutual
