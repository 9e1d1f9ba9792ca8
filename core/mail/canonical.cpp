#include <idn2.h>

#include <algorithm>
#include <mail/address.hpp>

namespace postern::mail {

namespace {

bool letter_digit_hyphen(std::string_view label) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    return std::all_of(label.begin(), label.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

bool whole(std::string_view name) {
    if (name.empty() || name.size() > 253) return false;
    for (;;) {
        const auto dot = name.find('.');
        if (!letter_digit_hyphen(name.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        name.remove_prefix(dot + 1);
    }
}

}  // namespace

Outcome<std::string> canonical_domain(std::string_view domain) {
    const Failure bad{"5.1.2", "is not a domain name"};
    if (domain.empty() || domain.size() > 1024 || domain.find('\0') != std::string_view::npos) return bad;
    std::string name(domain);
    const bool ascii =
        std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    if (!ascii) {
        char* converted = nullptr;
        const int status =
            idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(name.c_str()),
                           reinterpret_cast<std::uint8_t**>(&converted), IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
        if (status != IDN2_OK) return Failure{"5.1.2", std::string("is not a domain name: ") + idn2_strerror(status)};
        name = converted;
        idn2_free(converted);
    }
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!whole(name)) return bad;
    return name;
}

}  // namespace postern::mail
