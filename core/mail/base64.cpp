#include <cstdint>
#include <mail/base64.hpp>

namespace postern::mail {

void append_base64(std::string& out, std::string_view octets) {
    static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; !octets.empty(); octets.remove_prefix(octets.size() < 3 ? octets.size() : 3)) {
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i)
            group = group << 8 | (i < octets.size() ? static_cast<unsigned char>(octets[i]) : 0u);
        out += letters[group >> 18];
        out += letters[group >> 12 & 63];
        out += octets.size() > 1 ? letters[group >> 6 & 63] : '=';
        out += octets.size() > 2 ? letters[group & 63] : '=';
    }
}

std::string to_base64(std::string_view octets) {
    std::string out;
    append_base64(out, octets);
    return out;
}

}  // namespace postern::mail
