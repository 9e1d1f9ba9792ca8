#include <algorithm>
#include <cstdio>
#include <ctime>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {
namespace {

// What is not UTF-8 may be anybody's octets: JSON holds none of them.
std::string quoted(std::string_view text) {
    const bool well_formed = code_points(text).has_value();
    std::string out = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 128 && !well_formed) out += "\\ufffd";
        else if (c == '"' || c == '\\') (out += '\\') += c;
        else if (octet < 32 || octet == 127) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", octet);
            out += escaped;
        } else out += c;
    }
    return out + "\"";
}

std::string formatted(Time time, const char* format) {
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, format, &parts)};
}

// How many octets a sequence takes, by its first (RFC 3629); 0 for none.
std::size_t sequence_length(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return 2;
    if (first >= 0xe0 && first < 0xf0) return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

}  // namespace

Json& Json::raw(std::string_view key, std::string_view value) {
    if (!body_.empty()) body_ += ", ";
    body_ += quoted(key) + ": ";
    body_ += value;
    return *this;
}

Json& Json::add(std::string_view key, std::string_view value) { return raw(key, quoted(value)); }

Json& Json::add(std::string_view key, const std::vector<std::string>& values) {
    std::string all;
    for (const auto& value : values) all += (all.empty() ? "" : ", ") + quoted(value);
    return raw(key, "[" + all + "]");
}

Json& Json::add(std::string_view key, const std::vector<Json>& values) { return raw(key, json_array(values)); }

std::string json_array(const std::vector<Json>& values) {
    std::string all;
    for (const auto& value : values) all += (all.empty() ? "" : ",\n ") + value.text();
    return "[" + all + "]";
}

std::string error_json(std::string_view sentence, int status) {
    return Json().add("error", sentence).add("status", status).text() + "\n";
}

std::string utc_day(Time time) { return formatted(time, "%Y-%m-%d"); }
std::string utc_moment(Time time) { return formatted(time, "%Y-%m-%dT%H:%M:%SZ"); }

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
    std::string all;
    for (const auto& part : parts) {
        if (!all.empty()) all += between;
        all += part;
    }
    return all;
}

std::string trimmed(std::string_view text) {
    const auto from = text.find_first_not_of(" \t\r\n");
    if (from == std::string_view::npos) return {};
    return std::string(text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1));
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (auto& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return result;
}

std::optional<std::u32string> code_points(std::string_view utf8) {
    std::u32string points;
    while (!utf8.empty()) {
        const auto length = sequence_length(static_cast<unsigned char>(utf8.front()));
        if (length == 0 || length > utf8.size()) return std::nullopt;
        constexpr unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
        char32_t point = static_cast<unsigned char>(utf8.front()) & first_bits[length];
        for (std::size_t at = 1; at < length; ++at) {
            const auto octet = static_cast<unsigned char>(utf8[at]);
            if ((octet & 0xc0) != 0x80) return std::nullopt;
            point = point << 6 | (octet & 0x3f);
        }
        const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
        if (overlong || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return std::nullopt;
        points += point;
        utf8.remove_prefix(length);
    }
    return points;
}

bool has_controls(std::u32string_view points) {
    return std::ranges::any_of(points, [](char32_t c) { return c < 32 || (c >= 127 && c < 160); });
}

bool fits_one_line(std::string_view text, std::size_t most_characters) {
    const auto points = code_points(text);
    return points && !has_controls(*points) && points->size() <= most_characters;
}

std::string code_point_name(char32_t point) {
    char text[16];
    std::snprintf(text, sizeof text, "U+%04X", static_cast<unsigned>(point));
    return text;
}

}  // namespace postern::tls_mutual
