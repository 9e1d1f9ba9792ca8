#include <algorithm>
#include <array>
#include <tls-mutual/store/distinguished_name.hpp>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {
namespace {

struct Rule {
    NamePart part;
    std::string_view abbreviation, also;
    std::size_t most_characters;
    bool ascii, many;
};

// Appendix 1's table. A second CN is refused: services are written on the assumption that there is one.
constexpr std::array<Rule, 7> rules{{{NamePart::country, "C", "", 2, true, false},
                                     {NamePart::component, "DC", "", 255, true, true},
                                     {NamePart::state, "S", "ST", 128, false, false},
                                     {NamePart::locality, "L", "", 128, false, false},
                                     {NamePart::organisation, "O", "", 64, false, false},
                                     {NamePart::unit, "OU", "", 64, false, true},
                                     {NamePart::common, "CN", "", 64, false, false}}};

Failure wrong(std::string text) { return {"subject", "--subject: " + std::move(text)}; }

const Rule* rule_of(std::string_view name) {
    const auto wanted = lower(name);
    const auto* found = std::ranges::find_if(
        rules, [&](const Rule& rule) { return lower(rule.abbreviation) == wanted || lower(rule.also) == wanted; });
    return found == rules.end() || name.empty() ? nullptr : found;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char small = static_cast<char>(c | 32);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

// One `NAME=value`, value unquoted and unescaped.
struct Piece {
    std::string name, value;
    std::string bare;  // of an unquoted value, as it stands: where a comma may be missing
};

class Parser {
public:
    explicit Parser(std::string_view text) : rest_(text) {}

    Outcome<std::vector<Piece>> pieces() {
        std::vector<Piece> all;
        while (!trimmed(rest_).empty()) {
            const auto equals = rest_.find('=');
            const auto head = trimmed(rest_.substr(0, equals));
            if (equals == std::string_view::npos || head.find(',') != std::string::npos)
                return wrong("\"" + head.substr(0, 60) +
                             "\" is no NAME=value; a comma that belongs to a value stands in quotes");
            Piece piece{head, {}, {}};
            rest_.remove_prefix(equals + 1);
            if (auto bad = value(piece)) return *bad;
            all.push_back(std::move(piece));
        }
        return all;
    }

private:
    std::optional<Failure> value(Piece& piece) {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
        if (!rest_.empty() && rest_.front() == '"') return quoted_value(piece);
        const auto whole = rest_;
        std::string value;
        std::size_t kept = 0;  // trailing blanks go, escaped ones stay
        while (!rest_.empty() && rest_.front() != ',' && rest_.front() != ';' && rest_.front() != '+') {
            const bool escape = rest_.front() == '\\';
            if (!escape && rest_.front() == '"')
                return wrong("a quotation mark inside the value of " + piece.name + "; put the whole value in quotes");
            if (!take_character(value)) return wrong("a \\ at the end of the value of " + piece.name);
            if (escape || value.back() != ' ') kept = value.size();
        }
        value.resize(kept);
        piece.value = std::move(value);
        piece.bare = std::string(whole.substr(0, whole.size() - rest_.size()));
        if (!rest_.empty() && rest_.front() == '+')
            return wrong("+ behind " + piece.name + ": parts are separated by commas; a + in a value stands in quotes");
        if (!rest_.empty()) rest_.remove_prefix(1);
        return std::nullopt;
    }

    std::optional<Failure> quoted_value(Piece& piece) {
        rest_.remove_prefix(1);
        while (!rest_.empty() && rest_.front() != '"')
            if (!take_character(piece.value)) break;
        if (rest_.empty()) return wrong("the quote that begins the value of " + piece.name + " is not closed");
        rest_.remove_prefix(1);
        const auto comma = rest_.find_first_not_of(" \t");
        if (comma == std::string_view::npos) {
            rest_ = {};
        } else if (rest_[comma] == ',' || rest_[comma] == ';') {
            rest_.remove_prefix(comma + 1);
        } else {
            return wrong("a comma is missing behind the value of " + piece.name);
        }
        return std::nullopt;
    }

    // RFC 4514 2.4: \, and kin, or \ with two hex digits.
    bool take_character(std::string& into) {
        if (rest_.front() != '\\') {
            into += rest_.front();
            rest_.remove_prefix(1);
            return true;
        }
        if (rest_.size() < 2) return false;
        const bool hex = rest_.size() >= 3 && hex_digit(rest_[1]) >= 0 && hex_digit(rest_[2]) >= 0;
        into += hex ? static_cast<char>(hex_digit(rest_[1]) << 4 | hex_digit(rest_[2])) : rest_[1];
        rest_.remove_prefix(hex ? 3 : 2);
        return true;
    }

    std::string_view rest_;
};

// "C=US o=contoso corp": the value holds what looks like the next part.
std::optional<Failure> missing_comma(const Piece& piece) {
    for (auto equals = piece.bare.find('='); equals != std::string::npos; equals = piece.bare.find('=', equals + 1)) {
        const auto blank = piece.bare.find_last_of(" \t", equals);
        if (blank == std::string::npos || !rule_of(trimmed(std::string_view(piece.bare).substr(blank, equals - blank))))
            continue;
        return wrong("a comma is missing before \"" + trimmed(std::string_view(piece.bare).substr(blank)) +
                     "\"; where it is meant so, put the value of " + piece.name + " in quotes");
    }
    return std::nullopt;
}

std::optional<Failure> check_value(const Rule& rule, std::string& value) {
    const std::string name(rule.abbreviation);
    const auto points = code_points(value);
    if (value.empty()) return wrong(name + " has no value");
    if (!points) return wrong("the value of " + name + " is not UTF-8; set the terminal to UTF-8");
    if (has_controls(*points)) return wrong("the value of " + name + " holds a control character");
    if (rule.ascii && points->size() != value.size()) return wrong(name + " takes ASCII alone, not \"" + value + "\"");
    if (rule.part == NamePart::country) {
        std::ranges::transform(value, value.begin(),
                               [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
        if (value.size() != 2 || !std::ranges::all_of(value, [](char c) { return c >= 'A' && c <= 'Z'; }))
            return wrong("C takes a country code of two letters (ISO 3166-1), not \"" + value + "\"");
    }
    if (rule.part != NamePart::common && points->size() > rule.most_characters)
        return wrong("the value of " + name + " has " + std::to_string(points->size()) + " characters; at most " +
                     std::to_string(rule.most_characters) + " are allowed");
    return std::nullopt;
}

}  // namespace

std::string_view abbreviation(NamePart part) { return rules[static_cast<std::size_t>(part)].abbreviation; }

std::string DistinguishedName::common_name() const {
    for (const auto& one : values)
        if (one.part == NamePart::common) return one.value;
    return {};
}

void DistinguishedName::order_components(std::string_view domain) {
    const auto is_component = [](const NameValue& one) { return one.part == NamePart::component; };
    const auto first = std::ranges::find_if(values, is_component);
    const auto last = std::find_if_not(first, values.end(), is_component);
    std::string as_typed;
    for (auto one = first; one != last; ++one) as_typed += (as_typed.empty() ? "" : ".") + lower(one->value);
    // "DC=contoso, DC=com" reads like the name itself; in a certificate com comes first (RFC 4519 2.4).
    const bool most_specific_first =
        !as_typed.empty() && (domain == as_typed || domain.ends_with("." + as_typed)) && last - first > 1;
    if (most_specific_first) std::reverse(first, last);
}

std::string DistinguishedName::text() const {
    std::string all;
    for (const auto& one : values) {
        const bool quote = one.value.find_first_of(",;+\"\\<>#=") != std::string::npos || one.value.front() == ' ' ||
                           one.value.back() == ' ';
        std::string value;
        for (const char c : one.value) value += (c == '"' || c == '\\') ? std::string("\\") + c : std::string(1, c);
        all += (all.empty() ? "" : ", ") + std::string(abbreviation(one.part)) + "=" +
               (quote ? "\"" + value + "\"" : value);
    }
    return all;
}

Outcome<DistinguishedName> parse_distinguished_name(std::string_view text) {
    auto pieces = Parser(text).pieces();
    if (!pieces) return pieces.failure;
    DistinguishedName name;
    std::size_t components = 0;
    for (auto& piece : *pieces) {
        const auto* rule = rule_of(piece.name);
        if (!rule) return wrong("\"" + piece.name + "\" is none of C, DC, S (or ST), L, O, OU, CN");
        if (auto bad = missing_comma(piece)) return *bad;
        if (auto bad = check_value(*rule, piece.value)) return *bad;
        const auto before = std::ranges::count(name.values, rule->part, &NameValue::part) +
                            (rule->part == NamePart::common && !name.long_common_name.empty());
        if (before > 0 && !rule->many)
            return wrong("a second " + std::string(rule->abbreviation) + "=" + piece.value + "; one is allowed" +
                         (rule->part == NamePart::common ? ": give further names with --domain" : ""));
        if (rule->part == NamePart::component) components += piece.value.size();
        if (rule->part == NamePart::common && code_points(piece.value)->size() > rule->most_characters)
            name.long_common_name = piece.value;
        else name.values.push_back({rule->part, piece.value});
    }
    if (components > 255) return wrong("the values of DC have over 255 characters together");
    std::ranges::stable_sort(name.values, {}, &NameValue::part);
    if (components > 0 && std::ranges::count(name.values, NamePart::country, &NameValue::part) > 0)
        name.warnings.emplace_back("the subject has C and DC: by convention it is one or the other");
    return name;
}

}  // namespace postern::tls_mutual
