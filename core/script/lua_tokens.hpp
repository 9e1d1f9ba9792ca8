// Lua 5.4 source as tokens that know where they stand (reference manual, section 3.1). For sources that Lua itself has
// compiled: what it would refuse is passed over, never refused here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::script {

struct Token {
    enum class Kind : std::uint8_t { name, keyword, number, text, symbol, end };
    Kind kind = Kind::end;
    std::string_view text;  // in the source
    std::size_t at = 0;     // octets from its beginning
    std::uint32_t line = 1;

    std::size_t after() const { return at + text.size(); }
    bool is(std::string_view wanted) const { return (kind == Kind::keyword || kind == Kind::symbol) && text == wanted; }
};

// The last one is of the kind `end`.
std::vector<Token> lua_tokens(std::string_view source);

}  // namespace postern::script
