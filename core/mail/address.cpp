#include <algorithm>
#include <mail/address.hpp>
#include <mail/command.hpp>
#include <mail/utf8.hpp>

namespace postern::mail {

namespace {

bool atext(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    if (static_cast<unsigned char>(c) > 127) return true;  // RFC 6531 3.3; who does not take it has refused before
    return std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

// RFC 5321 4.1.2: Dot-string or Quoted-string, at most 64 octets.
bool is_local_part(std::string_view part) {
    if (part.empty() || part.size() > 64) return false;
    if (part.front() == '"') {
        if (part.size() < 3 || part.back() != '"') return false;
        for (std::size_t i = 1; i + 1 < part.size(); ++i) {
            const auto c = static_cast<unsigned char>(part[i]);
            if (c < 32 || c == 127 || c == '"') return false;
            if (c == '\\' && ++i + 1 >= part.size()) return false;
        }
        return true;
    }
    if (part.front() == '.' || part.back() == '.' || part.find("..") != std::string_view::npos) return false;
    return std::all_of(part.begin(), part.end(), [](char c) { return c == '.' || atext(c); });
}

// The end of "<...>": the first '>' outside quotes.
std::size_t closing(std::string_view text) {
    bool quoted = false;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (quoted && text[i] == '\\') ++i;
        else if (text[i] == '"') quoted = !quoted;
        else if (text[i] == '>' && !quoted) return i;
    }
    return std::string_view::npos;
}

// The last '@' outside quotes.
std::size_t last_at(std::string_view text) {
    bool quoted = false;
    std::size_t at = std::string_view::npos;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (quoted && text[i] == '\\') ++i;
        else if (text[i] == '"') quoted = !quoted;
        else if (text[i] == '@' && !quoted) at = i;
    }
    return at;
}

Outcome<Path> parse(std::string_view& text, const std::string& code, bool reverse, bool utf8) {
    const Failure bad{code, "bad address syntax"};
    if (text.empty() || text.front() != '<') return bad;
    const auto end = closing(text);
    if (end == std::string_view::npos) return bad;
    auto inner = text.substr(1, end - 1);
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ' ') return bad;
    const bool plain =
        std::all_of(inner.begin(), inner.end(), [](char c) { return static_cast<unsigned char>(c) >= 32 && c != 127; });
    if (!plain) return bad;
    Path path;
    if (inner.empty()) {
        if (!reverse) return bad;
        text = rest;
        return path;
    }
    // "@a,@b:user@c": the route is obeyed by nobody since RFC 5321 C; the last address counts.
    if (inner.front() == '@') {
        const auto colon = inner.find(':');
        if (colon == std::string_view::npos) return bad;
        inner.remove_prefix(colon + 1);
    }
    path.empty = false;
    const auto at = last_at(inner);
    path.local_part = inner.substr(0, at);
    path.utf8 = !is_ascii(inner);
    if (path.utf8 && !utf8) return Failure{"5.6.7", "non-ASCII addresses need SMTPUTF8"};
    if (!is_utf8(inner)) return bad;
    if (!is_local_part(path.local_part)) return bad;
    if (at == std::string_view::npos) {
        std::string lower = path.local_part;
        std::transform(lower.begin(), lower.end(), lower.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        if (lower != "postmaster") return Failure{code, "an address needs a domain"};
        text = rest;
        return path;
    }
    const auto domain = inner.substr(at + 1);
    if (is_address_literal(domain)) {
        path.domain = domain;
        path.literal = true;
    } else {
        auto canonical = canonical_domain(domain);
        if (!canonical) return Failure{code, "the domain of the address is no domain name"};
        path.domain = *canonical;
    }
    text = rest;
    return path;
}

}  // namespace

Outcome<Path> parse_reverse_path(std::string_view& text, bool utf8) { return parse(text, "5.1.7", true, utf8); }
Outcome<Path> parse_forward_path(std::string_view& text, bool utf8) { return parse(text, "5.1.3", false, utf8); }

}  // namespace postern::mail
