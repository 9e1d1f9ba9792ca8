#include <arpa/inet.h>

#include <algorithm>
#include <mail/address.hpp>
#include <mail/command.hpp>

namespace postern::mail {

static std::string upper(std::string_view text) {
    std::string up(text);
    std::transform(up.begin(), up.end(), up.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return up;
}

Command split_command(std::string_view line) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    const auto blank = line.find(' ');
    Command command{upper(line.substr(0, blank)), {}};
    if (blank != std::string_view::npos) {
        command.argument = line.substr(blank);
        while (command.argument.starts_with(' ')) command.argument.remove_prefix(1);
    }
    return command;
}

Outcome<std::vector<Parameter>> parameters(std::string_view text, bool utf8) {
    const Failure bad{"5.5.4", "bad parameter syntax"};
    std::vector<Parameter> all;
    while (!text.empty()) {
        if (text.front() != ' ') return bad;
        while (text.starts_with(' ')) text.remove_prefix(1);
        const auto word = text.substr(0, text.find(' '));
        text.remove_prefix(word.size());
        if (word.empty()) break;
        const auto equals = word.find('=');
        Parameter parameter{upper(word.substr(0, equals)), {}, equals != std::string_view::npos};
        if (parameter.has_value) parameter.value = word.substr(equals + 1);
        const bool clean = std::all_of(word.begin(), word.end(),
                                       [utf8](unsigned char c) { return c > 32 && c != 127 && (utf8 || c < 127); });
        if (!clean || parameter.keyword.empty() || (parameter.has_value && parameter.value.empty())) return bad;
        for (const auto& one : all)
            if (one.keyword == parameter.keyword) return Failure{"5.5.4", parameter.keyword + " given twice"};
        all.push_back(std::move(parameter));
    }
    return all;
}

bool is_address_literal(std::string_view text) {
    if (text.size() < 3 || text.front() != '[' || text.back() != ']') return false;
    const std::string inner(text.substr(1, text.size() - 2));
    if (inner.find('\0') != std::string::npos) return false;  // inet_pton would not see what stands behind it
    unsigned char octets[16];
    const bool six = upper(inner).starts_with("IPV6:");
    return (six ? inet_pton(AF_INET6, inner.c_str() + 5, octets) : inet_pton(AF_INET, inner.c_str(), octets)) == 1;
}

std::optional<std::string> helo_name(std::string_view argument) {
    if (is_address_literal(argument)) return std::string(argument);
    auto domain = canonical_domain(argument);
    return domain ? std::optional<std::string>(*domain) : std::nullopt;
}

}  // namespace postern::mail
