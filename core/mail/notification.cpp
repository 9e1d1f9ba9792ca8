#include <algorithm>
#include <charconv>
#include <cstdint>
#include <mail/notification.hpp>
#include <mail/utf8.hpp>

namespace postern::mail {

static std::string upper(std::string_view text) {
    std::string up(text);
    std::transform(up.begin(), up.end(), up.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return up;
}

Notify notify_of(std::string_view canonical) {
    Notify asked;
    while (!canonical.empty()) {
        const auto word = canonical.substr(0, canonical.find(','));
        canonical.remove_prefix(std::min(canonical.size(), word.size() + 1));
        asked.never |= word == "NEVER";
        asked.success |= word == "SUCCESS";
        asked.failure |= word == "FAILURE";
        asked.delay |= word == "DELAY";
    }
    return asked;
}

std::optional<std::string> notify_value(std::string_view text) {
    const auto up = upper(text);
    std::string_view rest = up;
    Notify seen;
    for (bool more = true; more;) {
        const auto comma = rest.find(',');
        const auto word = rest.substr(0, comma);
        bool* flag = word == "NEVER"     ? &seen.never
                     : word == "SUCCESS" ? &seen.success
                     : word == "FAILURE" ? &seen.failure
                     : word == "DELAY"   ? &seen.delay
                                         : nullptr;
        if (!flag || *flag) return std::nullopt;
        *flag = true;
        more = comma != std::string_view::npos;
        if (more) rest.remove_prefix(comma + 1);
    }
    if (seen.never && (seen.success || seen.failure || seen.delay)) return std::nullopt;
    return up;
}

std::string either_notify(std::string_view one, std::string_view other) {
    if (one == other) return std::string(one);
    const auto first = notify_of(one), second = notify_of(other);
    const bool failure = first.failure || second.failure || one.empty() || other.empty();
    std::string all;
    const auto add = [&](bool asked, std::string_view word) {
        if (asked) all.append(all.empty() ? "" : ",").append(word);
    };
    add(first.success || second.success, "SUCCESS");
    add(failure, "FAILURE");
    add(first.delay || second.delay, "DELAY");
    return all;
}

std::optional<std::string> ret_value(std::string_view text) {
    auto up = upper(text);
    if (up != "FULL" && up != "HDRS") return std::nullopt;
    return up;
}

static bool upper_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); }

std::optional<std::string> from_xtext(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 33 || c > 126 || c == '=') return std::nullopt;
        if (c != '+') {
            plain += text[i];
            continue;
        }
        if (i + 2 >= text.size() || !upper_hex(text[i + 1]) || !upper_hex(text[i + 2])) return std::nullopt;
        unsigned value = 0;
        std::from_chars(&text[i + 1], &text[i + 3], value, 16);
        plain += static_cast<char>(value);
        i += 2;
    }
    return plain;
}

std::string to_xtext(std::string_view text) {
    static constexpr char hex[] = "0123456789ABCDEF";
    std::string encoded;
    for (const unsigned char c : text) {
        if (c > 32 && c < 127 && c != '+' && c != '=') encoded += static_cast<char>(c);
        else (encoded += '+') += {hex[c >> 4], hex[c & 15]};
    }
    return encoded;
}

bool is_envid(std::string_view text) {
    const auto plain = from_xtext(text);
    // RFC 3461 4.4: what it decodes to is printable.
    return plain && !text.empty() && text.size() <= 100 &&
           std::all_of(plain->begin(), plain->end(), [](unsigned char c) { return c >= 32 && c < 127; });
}

static bool is_atom(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
}

// \x{HEX} as RFC 6533 3 writes a character; nothing where it is none.
static std::optional<std::string> character(std::string_view& text) {
    const auto end = text.find('}');
    if (!text.starts_with("\\x{") || end == std::string_view::npos || end < 5 || end > 9) return std::nullopt;
    std::uint32_t value = 0;
    const auto digits = text.substr(3, end - 3);
    const bool upper_case = std::all_of(digits.begin(), digits.end(), upper_hex);
    if (!upper_case || std::from_chars(digits.data(), digits.data() + digits.size(), value, 16).ec != std::errc())
        return std::nullopt;
    text.remove_prefix(end + 1);
    std::string octets;
    if (value < 0x80) octets += static_cast<char>(value);
    else if (value < 0x800) octets += {static_cast<char>(0xc0 | value >> 6), static_cast<char>(0x80 | (value & 63))};
    else if (value < 0x10000)
        octets += {static_cast<char>(0xe0 | value >> 12), static_cast<char>(0x80 | (value >> 6 & 63)),
                   static_cast<char>(0x80 | (value & 63))};
    else
        octets += {static_cast<char>(0xf0 | value >> 18), static_cast<char>(0x80 | (value >> 12 & 63)),
                   static_cast<char>(0x80 | (value >> 6 & 63)), static_cast<char>(0x80 | (value & 63))};
    return is_utf8(octets) ? std::optional(octets) : std::nullopt;
}

static std::optional<std::string> from_unitext(std::string_view text) {
    std::string plain;
    while (!text.empty()) {
        const auto c = static_cast<unsigned char>(text.front());
        if (c == '\\') {
            const auto one = character(text);
            if (!one) return std::nullopt;
            plain += *one;
        } else if (c < 33 || c == 127 || c == '+' || c == '=') {
            return std::nullopt;
        } else {
            plain += text.front();
            text.remove_prefix(1);
        }
    }
    return is_utf8(plain) ? std::optional(plain) : std::nullopt;
}

static std::optional<std::string> decoded(std::string_view type, std::string_view value) {
    return upper(type) == "UTF-8" ? from_unitext(value) : from_xtext(value);
}

bool is_orcpt(std::string_view text, bool utf8) {
    const auto semicolon = text.find(';');
    if (text.size() > 500 || semicolon == std::string_view::npos || !is_atom(text.substr(0, semicolon))) return false;
    const auto value = text.substr(semicolon + 1);
    return !value.empty() && (utf8 || is_ascii(value)) && decoded(text.substr(0, semicolon), value);
}

// Nothing that a stranger wrote may begin a field of its own or hide what follows.
static std::string in_field(std::string_view text) {
    std::string safe;
    for (const unsigned char c : text) safe += c >= 32 && c != 127 ? static_cast<char>(c) : '?';
    return safe;
}

std::string typed_address(std::string_view address) {
    return (is_ascii(address) ? "rfc822; " : "utf-8; ") + in_field(address);
}

std::string typed_original(std::string_view orcpt) {
    const auto semicolon = orcpt.find(';');
    const auto type = orcpt.substr(0, semicolon);
    const auto value = semicolon == std::string_view::npos ? std::string_view() : orcpt.substr(semicolon + 1);
    const auto plain = decoded(type, value);
    return in_field(type) + "; " + in_field(plain ? *plain : std::string(value));
}

}  // namespace postern::mail
