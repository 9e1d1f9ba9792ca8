// What a server answered, taken apart into lists: DER as RFC 5280 wants it, several of them one behind the other (the
// values of a directory), PEM, or PKCS#7. Pure; nothing is decoded beyond the wrapping, nothing believed.
#pragma once

#include <postern/pending.hpp>

namespace postern::crl {

inline constexpr std::size_t most_lists_an_answer = 16;

// The DER of each; never empty. The failure says in a few words what came instead.
Outcome<std::vector<Bytes>> lists_of(Bytes answer);

}  // namespace postern::crl
