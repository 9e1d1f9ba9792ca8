#include <arpa/inet.h>
#include <idn2.h>

#include <algorithm>
#include <memory>
#include <tls-mutual/store/dns_names.hpp>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::size_t longest_name = 253, longest_label = 63;  // RFC 1035 2.3.4, without the root's octet

Failure wrong(std::string_view name, const std::string& what) { return {"name", std::string(name) + ": " + what}; }

// Letters that the eye takes for an ASCII one: those with a mark, and those of other scripts that look the same.
struct LookAlikes {
    char ascii;
    std::u32string_view others;
};
constexpr LookAlikes look_alikes[] = {
    {'a', U"àáâãäåāăąǎаα"},
    {'b', U"ьƀ"},
    {'c', U"çćĉċčс"},
    {'d', U"ďđԁ"},
    {'e', U"èéêëēĕėęěеε"},
    {'f', U"ƒ"},
    {'g', U"ĝğġģǧɡ"},
    {'h', U"ĥħһ"},
    {'i', U"ìíîïĩīĭįıǐіι"},
    {'j', U"ĵј"},
    {'k', U"ķĸκк"},
    {'l', U"ĺļľŀłӏ"},
    {'m', U"м"},
    {'n', U"ñńņňŉŋη"},
    {'o', U"òóôõöøōŏőǒоο"},
    {'p', U"рρ"},
    {'q', U"ԛ"},
    {'r', U"ŕŗřг"},
    {'s', U"śŝşšșѕ"},
    {'t', U"ţťŧțτт"},
    {'u', U"ùúûüũūŭůűųǔυ"},
    {'v', U"νѵ"},
    {'w', U"ŵԝω"},
    {'x', U"хχ"},
    {'y', U"ýÿŷуγ"},
    {'z', U"źżž"},
};

char ascii_for(char32_t point) {
    if (point < 128) return static_cast<char>(point >= 'A' && point <= 'Z' ? point + 32 : point);
    for (const auto& one : look_alikes)
        if (one.others.find(point) != std::u32string_view::npos) return one.ascii;
    return 0;
}

// The ASCII text that the eye sees; empty where some character looks like none.
std::string seen_as(std::u32string_view points) {
    std::string seen;
    for (const auto point : points) {
        const char c = ascii_for(point);
        if (c == 0) return {};
        seen += c;
    }
    return seen;
}

std::string look_alike_warning(std::string_view text) {
    const auto points = code_points(text);
    if (!points) return {};
    const auto seen = seen_as(*points);
    const auto odd = std::ranges::find_if(*points, [](char32_t c) { return c >= 128; });
    if (seen.empty() || odd == points->end()) return {};
    return std::string(text) + " is easily taken for " + seen + ": it holds " + code_point_name(*odd) +
           " in place of " + ascii_for(*odd);
}

bool label_fits(std::string_view label) {
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !label.empty() && label.front() != '-' && label.back() != '-' && std::ranges::all_of(label, fits);
}

std::optional<Failure> check_labels(std::string_view typed, std::string_view name) {
    if (name.size() > longest_name) return wrong(typed, "is longer than a DNS name may be (253 characters)");
    std::size_t labels = 0;
    for (auto rest = name; !rest.empty();) {
        const auto dot = std::min(rest.find('.'), rest.size());
        const auto label = rest.substr(0, dot);
        rest.remove_prefix(std::min(dot + 1, rest.size()));
        if (label.size() > longest_label)
            return wrong(typed, "a part between dots is longer than 63 characters: " + std::string(label));
        if (label.find('*') != std::string_view::npos)
            return wrong(typed, "* stands for a whole first part alone: *.contoso.com");
        if (!label_fits(label))
            return wrong(typed, "\"" + std::string(label) +
                                    "\" cannot stand in a DNS name: letters, digits and inner "
                                    "hyphens can");
        ++labels;
    }
    if (name.empty() || name.ends_with('.') || labels == 0) return wrong(typed, "is no DNS name");
    return std::nullopt;
}

bool is_address(const std::string& text) {
    unsigned char octets[16];
    return ::inet_pton(AF_INET, text.c_str(), octets) == 1 || ::inet_pton(AF_INET6, text.c_str(), octets) == 1;
}

using Converted = std::unique_ptr<char, void (*)(void*)>;

Outcome<std::string> to_a_labels(const std::string& name) {
    char* raw = nullptr;
    const int status = idn2_to_ascii_8z(name.c_str(), &raw, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const Converted held(raw, idn2_free);
    if (status != IDN2_OK) return wrong(name, std::string("is no internationalised name: ") + idn2_strerror(status));
    return lower(raw);
}

std::string to_unicode(const std::string& name) {
    char* raw = nullptr;
    const int status = idn2_to_unicode_8z8z(name.c_str(), &raw, 0);
    const Converted held(raw, idn2_free);
    return status == IDN2_OK ? std::string(raw) : std::string();
}

}  // namespace

Outcome<DnsName> check_dns_name(std::string_view typed) {
    auto text = trimmed(typed);
    const bool wildcard = text.starts_with("*.");
    if (wildcard) text.erase(0, 2);
    const auto points = code_points(text);
    if (!points) return wrong(typed, "is not UTF-8");
    if (has_controls(*points)) return wrong("a name", "holds a control character");
    if (text.find(',') != std::string::npos) return wrong(typed, "holds a comma; give each name an option of its own");
    if (is_address(text)) return wrong(typed, "is an address; certificates for mail hold DNS names");
    if (text.ends_with('.')) text.pop_back();
    DnsName result;
    result.name = lower(text);
    if (points->size() != text.size() && !std::ranges::all_of(text, [](char c) { return (c & 0x80) == 0; })) {
        auto converted = to_a_labels(text);
        if (!converted) return converted.failure;
        result.name = *converted;
    }
    if (auto bad = check_labels(typed, result.name)) return *bad;
    const auto shown = to_unicode(result.name);
    if (!shown.empty() && shown != result.name) {
        result.unicode = (wildcard ? "*." : "") + shown;
        if (auto warning = look_alike_warning(shown); !warning.empty()) result.warnings.push_back(std::move(warning));
    }
    const bool single = result.name.find('.') == std::string::npos;
    if (wildcard && single) return wrong(typed, "would stand for a whole top-level domain; name the domain below it");
    if (single)
        result.warnings.push_back(result.name + " has no dot: no partner can resolve it, and public CAs refuse it");
    if (wildcard) result.name.insert(0, "*.");
    return result;
}

std::string seems_a_name(std::string_view common_name) {
    const auto points = code_points(common_name);
    if (!points || points->size() == common_name.size()) return {};
    const bool blank = std::ranges::any_of(*points, [](char32_t c) { return c == ' '; });
    if (blank || common_name.find('.') == std::string_view::npos) return {};
    const auto alike = look_alike_warning(common_name);
    return "the CN " + std::string(common_name) +
           " is no DNS name, since it holds characters beyond ASCII, and is ignored as one" +
           (alike.empty() ? "" : "; " + alike);
}

Covers covers(std::string_view certificate_name, std::string_view host) {
    const auto name = lower(certificate_name), wanted = lower(host);
    if (name == wanted) return Covers::exactly;
    if (!name.starts_with("*.")) return Covers::no;
    const auto dot = wanted.find('.');
    return dot != std::string::npos && wanted.substr(dot) == name.substr(1) ? Covers::by_wildcard : Covers::no;
}

}  // namespace postern::tls_mutual
