#include <base/log.hpp>

namespace postern {

// Octets of the character there, where it is UTF-8 (RFC 3629) and no control of U+0080 to U+009F; else 0.
static std::size_t character(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto lead = at(0);
    const std::size_t length = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    if (length == 0 || lead >= 0xf5 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((at(i) & 0xc0u) != 0x80u) return 0;
    const auto next = at(1);
    const bool control = lead == 0xc2 && next < 0xa0,
               overlong = (lead == 0xe0 && next < 0xa0) || (lead == 0xf0 && next < 0x90);
    const bool nothing = (lead == 0xed && next >= 0xa0) || (lead == 0xf4 && next >= 0x90);  // surrogates, past U+10FFFF
    return control || overlong || nothing ? 0 : length;
}

std::string escaped(std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string safe;
    safe.reserve(text.size());
    while (!text.empty()) {
        const auto c = static_cast<unsigned char>(text.front());
        const std::size_t shown = c < 0x80 ? (c >= 0x20 && c != 0x7f) : character(text);
        if (shown == 0) (safe += "\\x") += {hex[c >> 4], hex[c & 15]};
        else safe += text.substr(0, shown);
        text.remove_prefix(shown == 0 ? 1 : shown);
    }
    return safe;
}

}  // namespace postern
