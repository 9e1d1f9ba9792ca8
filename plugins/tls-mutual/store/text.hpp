// How the commands write: JSON, dates, UTF-8 looked at character by character. Knows no certificate.
#pragma once

#include <postern/types.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::tls_mutual {

// An object under construction: {"a": 1, "b": "x"}.
class Json {
public:
    Json& add(std::string_view key, std::string_view value);
    Json& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
    Json& add(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
    Json& add(std::string_view key, int value) { return raw(key, std::to_string(value)); }
    Json& add(std::string_view key, const std::vector<std::string>& values);
    Json& add(std::string_view key, const std::vector<Json>& values);
    Json& add(std::string_view key, const Json& value) { return raw(key, value.text()); }
    std::string text() const { return "{" + body_ + "}"; }

private:
    Json& raw(std::string_view key, std::string_view value);
    std::string body_;
};
std::string json_array(const std::vector<Json>&);
// What a command that refuses prints for whoever asked for JSON: {"error": "...", "status": 1}.
std::string error_json(std::string_view sentence, int status);

std::string utc_day(Time);     // 2026-10-02
std::string utc_moment(Time);  // 2026-10-02T14:00:00Z
std::string joined(const std::vector<std::string>& parts, std::string_view between = ", ");
std::string trimmed(std::string_view);
std::string lower(std::string_view);  // ASCII

// The code points of well-formed UTF-8; nothing where it is not.
std::optional<std::u32string> code_points(std::string_view utf8);
bool has_controls(std::u32string_view);
// One line of UTF-8 that a human may give a thing.
bool fits_one_line(std::string_view, std::size_t most_characters);
std::string code_point_name(char32_t);  // U+00EF

}  // namespace postern::tls_mutual
