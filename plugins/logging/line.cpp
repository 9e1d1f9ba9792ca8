#include <cstdio>
#include <ctime>
#include <logging/line.hpp>

namespace postern::logging {
namespace {

constexpr std::size_t columns = 9;

// The length of the well-formed UTF-8 character at the start (RFC 3629), 0 where there is none.
std::size_t utf8_length(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = at(0);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc2 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    if (length == 0 || length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((at(i) & 0xc0) != 0x80) return 0;
    const bool overlong = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
    const bool surrogate = first == 0xed && at(1) > 0x9f, beyond = first == 0xf4 && at(1) > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

std::string escaped(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::string clean;
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text.front());
        const auto length = utf8_length(text);
        // C1 controls (U+0080 to U+009F) move terminals as well as C0 does.
        const bool c1 = length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        if (length == 0 || first < 32 || first == 127 || c1) {
            ((clean += "\\x") += digits[first >> 4]) += digits[first & 15];
            text.remove_prefix(1);
        } else {
            clean += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return clean;
}

std::string column(std::string_view text) {
    const auto clean = escaped(text);
    if (clean.find_first_of(",\"") == std::string::npos) return clean;
    std::string quoted = "\"";
    for (const char c : clean) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + "\"";
}

}  // namespace

std::string utc(Time time) {
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    const std::time_t seconds = millis / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[40], whole[48];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(whole, sizeof whole, "%s.%03dZ", text, static_cast<int>(millis % 1000));
    return whole;
}

std::string to_line(const ProtocolRecord& record) {
    std::string line = utc(record.time);
    const auto add = [&line](std::string_view text) { line += "," + column(text); };
    add(record.connector);
    add(record.session);
    line += "," + std::to_string(record.sequence);
    add(record.local);
    add(record.remote);
    line += ",";
    line += static_cast<char>(record.event);
    add(record.data);
    add(record.context);
    return line += "\r\n";
}

std::optional<std::vector<std::string>> columns_of(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) return std::nullopt;
    std::vector<std::string> all(1);
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quoted && line[i] == '"' && i + 1 < line.size() && line[i + 1] == '"') all.back() += line[++i];
        else if (line[i] == '"') quoted = !quoted;
        else if (line[i] == ',' && !quoted) all.emplace_back();
        else all.back() += line[i];
    }
    if (quoted || all.size() != columns) return std::nullopt;
    return all;
}

}  // namespace postern::logging
