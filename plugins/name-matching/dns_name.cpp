#include <algorithm>
#include <name-matching/dns_name.hpp>

namespace postern::name_matching {
namespace {

constexpr std::size_t most_name_octets = 253, most_label_octets = 63;  // RFC 1035 2.3.4

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_label_octet(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_'; }

std::string lower(std::string_view raw) {
    std::string text(raw);
    for (auto& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return text;
}

std::string_view octet_fault(std::string_view text) {
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet == 0) return "holds a NUL";
        if (octet <= 0x20 || octet == 0x7f) return "holds white space or a control";
        if (octet > 0x7f) return "holds an octet that is not ASCII";
    }
    return {};
}

std::string_view label_fault(std::string_view label) {
    if (label.empty()) return "has an empty label";
    if (label.size() > most_label_octets) return "has a label of more than 63 octets";
    if (label.find('*') != std::string_view::npos) return "has a wildcard that is not its whole left-most label";
    if (!std::all_of(label.begin(), label.end(), is_label_octet)) return "is no host name";
    if (label.front() == '-' || label.back() == '-') return "has a label that begins or ends with a hyphen";
    return {};
}

}  // namespace

NameReading usable_name(std::string_view raw) {
    if (raw.empty()) return {{}, "is empty"};
    if (auto fault = octet_fault(raw); !fault.empty()) return {{}, fault};
    if (raw.size() > most_name_octets) return {{}, "is longer than 253 octets"};
    if (raw.find(':') != std::string_view::npos) return {{}, "is an IP address"};
    UsableName name{lower(raw), raw.starts_with("*.")};
    std::string_view rest = name.text;
    if (name.wildcard) rest.remove_prefix(2);
    std::string_view label;
    for (bool more = true; more;) {
        const auto dot = rest.find('.');
        label = rest.substr(0, dot);
        if (auto fault = label_fault(label); !fault.empty()) return {{}, fault};
        more = dot != std::string_view::npos;
        if (more) rest.remove_prefix(dot + 1);
    }
    // No top-level domain is all digits: what ends so is read as an address by somebody (RFC 3696 2).
    if (std::all_of(label.begin(), label.end(), is_digit)) return {{}, "is an IP address"};
    return {std::move(name), {}};
}

std::optional<std::size_t> labels_below(std::string_view name, std::string_view domain) {
    if (name == domain) return 0;
    if (domain.empty() || name.size() <= domain.size() + 1 || !name.ends_with(domain)) return std::nullopt;
    const auto front = name.substr(0, name.size() - domain.size());
    if (front.back() != '.') return std::nullopt;
    return static_cast<std::size_t>(std::count(front.begin(), front.end(), '.'));
}

std::string shown(std::string_view raw) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const char c : raw.substr(0, 100)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet > 0x20 && octet < 0x7f && c != '\\' && c != '"') {
            text += c;
        } else {
            text += "\\x";
            text += digits[octet >> 4];
            text += digits[octet & 15];
        }
    }
    if (raw.size() > 100) text += "...";
    return text;
}

}  // namespace postern::name_matching
