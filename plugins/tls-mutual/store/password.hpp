// Where a password comes from: a file, standard input, or the terminal, asked without echo. Never an argument, which
// every user of the machine could read.
#pragma once

#include <tls-mutual/key_file.hpp>
#include <tls-mutual/store/arguments.hpp>

namespace postern::tls_mutual {

enum class Ask : std::uint8_t { once, twice };

// --password-file, --password-stdin, else the terminal. The first line, without its end; it may be empty.
Outcome<Secret> password(const Arguments&, const std::string& for_what, Ask);

}  // namespace postern::tls_mutual
