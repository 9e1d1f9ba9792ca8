// See exposition.hpp; start at exposition().
#include <algorithm>
#include <charconv>
#include <cmath>
#include <counters/exposition.hpp>
#include <set>

namespace postern::counters {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

bool is_name(std::string_view name, bool colons) {
    const auto fits = [&](char c) { return letter(c) || digit(c) || (colons && c == ':'); };
    return !name.empty() && !digit(name.front()) && std::ranges::all_of(name, fits);
}

// Octets of the UTF-8 sequence that the text begins with; 0 where it is none (RFC 3629 4: no overlong form, no
// surrogate, nothing above U+10FFFF).
std::size_t sequence(std::string_view text) {
    const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
        return at(i) >= low && at(i) <= high;
    };
    const unsigned first = at(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const unsigned low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;
        return follows(1, low, high) && follows(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const unsigned low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
        return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

// Moves the next character, or the replacement of an octet that is none, from the text to the end of `into`.
void take_character(std::string_view& text, std::string& into) {
    const auto size = sequence(text);
    into += size ? text.substr(0, size) : replacement;
    text.remove_prefix(size ? size : 1);
}

// After the opening quote: up to and with the closing one.
bool take_value(std::string_view& text, std::string& into) {
    while (!text.empty()) {
        const char c = text.front();
        if (c == '"') {
            into += c;
            text.remove_prefix(1);
            return true;
        }
        if (c == '\n') {
            into += "\\n";
            text.remove_prefix(1);
        } else if (c == '\\') {
            const char next = text.size() > 1 ? text[1] : '\0';
            if (next != '\\' && next != '"' && next != 'n') return false;
            into += text.substr(0, 2);
            text.remove_prefix(2);
        } else {
            take_character(text, into);
        }
    }
    return false;
}

void print_head(const CounterSample& sample, std::string& into) {
    into += "# HELP " + sample.name + ' ' + escaped_help(sample.explanation) + '\n';
    into += "# TYPE " + sample.name + (sample.kind == CounterKind::gauge ? " gauge\n" : " counter\n");
}

void print_line(std::string_view name, std::string_view labels, double value, std::string& into) {
    into += name;
    if (!labels.empty()) (into += '{') += std::string(labels) + '}';
    into += ' ' + printed(value) + '\n';
}

}  // namespace

std::optional<std::string> clean_labels(std::string_view labels) {
    std::string clean;
    std::set<std::string_view> names;
    while (!labels.empty()) {
        const auto equals = labels.find("=\"");
        if (equals == std::string_view::npos) return std::nullopt;
        const auto name = labels.substr(0, equals);
        if (!is_name(name, false) || name.starts_with("__") || !names.insert(name).second) return std::nullopt;
        if (!clean.empty()) clean += ',';
        (clean += name) += "=\"";
        labels.remove_prefix(equals + 2);
        if (!take_value(labels, clean)) return std::nullopt;
        if (labels.empty()) break;
        if (labels.front() != ',' || labels.size() == 1) return std::nullopt;
        labels.remove_prefix(1);
    }
    return clean;
}

std::string escaped_help(std::string_view text) {
    std::string escaped;
    while (!text.empty()) {
        if (const char c = text.front(); c == '\\' || c == '\n') {
            escaped += c == '\n' ? "\\n" : "\\\\";
            text.remove_prefix(1);
        } else {
            take_character(text, escaped);
        }
    }
    return escaped;
}

std::string printed(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    char text[40];
    // Whole numbers as such, up to where a double still holds each of them.
    const bool whole = value == std::trunc(value) && std::abs(value) < 9007199254740992.0;
    const auto end = whole ? std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(value)).ptr
                           : std::to_chars(text, text + sizeof text, value).ptr;
    return {text, end};
}

std::string exposition(std::vector<CounterSample> samples) {
    std::ranges::stable_sort(samples, {}, &CounterSample::name);
    std::string text;
    std::string_view family;
    std::set<std::string> seen;  // of this family: a series twice is an error of the whole answer too
    double left_out = 0;
    for (const auto& sample : samples) {
        const auto labels = clean_labels(sample.labels);
        const bool fresh = sample.name != family;
        if (fresh) seen.clear();
        if (!labels || !is_name(sample.name, true) || !seen.insert(*labels).second) {
            ++left_out;
            continue;
        }
        if (fresh) print_head(sample, text);
        family = sample.name;
        print_line(sample.name, *labels, sample.value, text);
    }
    print_head({"postern_counters_left_out",
                {},
                CounterKind::gauge,
                0,
                "Samples whose name or labels cannot be printed, so that they are missing here: a plugin's mistake."},
               text);
    print_line("postern_counters_left_out", {}, left_out, text);
    return text;
}

}  // namespace postern::counters
