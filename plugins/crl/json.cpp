#include <crl/json.hpp>

namespace postern::crl {

std::string quoted(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\') (out += '\\') += static_cast<char>(c);
        else if (c < 32 || c == 127) ((out += "\\u00") += digits[c >> 4]) += digits[c & 15];
        else out += static_cast<char>(c);
    }
    return out + "\"";
}

}  // namespace postern::crl
