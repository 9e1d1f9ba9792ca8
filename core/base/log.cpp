#include <base/log.hpp>

namespace postern {

std::string escaped(std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string safe;
    safe.reserve(text.size());
    for (unsigned char c : text) {
        if (c >= 0x20 && c != 0x7f) {
            safe += static_cast<char>(c);
            continue;
        }
        safe += "\\x";
        safe += hex[c >> 4];
        safe += hex[c & 15];
    }
    return safe;
}

}  // namespace postern
