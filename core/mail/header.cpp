#include <algorithm>
#include <mail/address.hpp>
#include <mail/header.hpp>

namespace postern::mail {

static char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string unfolded(std::string_view body) {
    std::string line;
    for (const char c : body)
        if (c != '\r' && c != '\n') line += c;
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos) return {};
    return line.substr(begin, line.find_last_not_of(" \t") - begin + 1);
}

bool named(const HeaderField& field, std::string_view name) {
    return std::equal(field.name.begin(), field.name.end(), name.begin(), name.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

std::vector<HeaderField> fields(std::string_view header) {
    std::vector<HeaderField> all;
    while (!header.empty()) {
        std::size_t end = 0;
        do {
            const auto line = header.find("\r\n", end);
            end = line == std::string_view::npos ? header.size() : line + 2;
        } while (end < header.size() && (header[end] == ' ' || header[end] == '\t'));
        const auto raw = header.substr(0, end);
        header.remove_prefix(end);
        if (raw == "\r\n") break;
        HeaderField field{{}, {}, raw};
        const auto colon = raw.find(':');
        if (colon != std::string_view::npos) {
            field.name = raw.substr(0, colon);
            // RFC 5322 4.5: white space before the colon is obsolete, and a way to hide a field from a filter.
            while (!field.name.empty() && (field.name.back() == ' ' || field.name.back() == '\t'))
                field.name.remove_suffix(1);
            field.body = raw.substr(colon + 1);
            if (field.body.ends_with("\r\n")) field.body.remove_suffix(2);
        }
        all.push_back(field);
    }
    return all;
}

std::string without(std::string_view header, const std::function<bool(const HeaderField&)>& unwanted) {
    std::string kept;
    std::size_t seen = 0;
    for (const auto& field : fields(header)) {
        seen += field.raw.size();
        if (!unwanted(field)) kept += field.raw;
    }
    return kept += header.substr(seen);
}

// Comments (nested) and quoted pairs out, folding to spaces; quoted strings kept. False where brackets do not close.
static bool plain(std::string_view body, std::string& text) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < body.size(); ++i) {
        const char c = body[i];
        if (c == '\\' && i + 1 < body.size()) {
            if (depth == 0) text.append(body.substr(i, 2));
            ++i;
        } else if (!quoted && c == '(') {
            ++depth;
        } else if (!quoted && c == ')' && depth > 0) {
            --depth;
        } else if (depth == 0) {
            if (c == '"') quoted = !quoted;
            text += c == '\r' || c == '\n' || c == '\t' ? ' ' : c;
        }
    }
    return depth == 0 && !quoted;
}

static std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

// Splits an address list at commas, semicolons and group colons outside quotes and angle brackets.
static std::vector<std::string> mailboxes(std::string_view text) {
    std::vector<std::string> all(1);
    bool quoted = false, angle = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\' && i + 1 < text.size()) {
            all.back().append(text.substr(i++, 2));
            continue;
        }
        if (c == '"') quoted = !quoted;
        if (!quoted && c == '<') angle = true;
        if (!quoted && c == '>') angle = false;
        if (!quoted && !angle && (c == ',' || c == ';')) all.emplace_back();
        else if (!quoted && !angle && c == ':') all.back().clear();
        else all.back() += c;
    }
    std::erase_if(all, [](const std::string& one) { return trimmed(one).empty(); });
    return all;
}

FromDomains from_domains(std::string_view header) {
    FromDomains found;
    std::size_t count = 0, addresses = 0;
    for (const auto& field : fields(header)) {
        if (!named(field, "From")) continue;
        ++count;
        std::string text;
        if (!plain(field.body, text)) found.unparsable = true;
        for (const auto& mailbox : mailboxes(text)) {
            ++addresses;
            std::string_view address = mailbox;
            const auto open = address.rfind('<');
            if (open != std::string_view::npos) {
                address.remove_prefix(open + 1);
                address = address.substr(0, address.find('>'));
            }
            address = trimmed(address);
            const auto at = address.rfind('@');
            auto domain = at == std::string_view::npos ? Outcome<std::string>(Failure{})
                                                       : canonical_domain(trimmed(address.substr(at + 1)));
            if (domain) found.domains.push_back(*domain);
            else found.unparsable = true;
        }
    }
    found.single = count == 1 && addresses == 1 && found.domains.size() == 1 && !found.unparsable;
    return found;
}

std::string authserv_id(std::string_view body) {
    std::string text;
    if (!plain(body, text)) return {};
    auto id = trimmed(text);
    if (id.starts_with('"')) {
        const auto end = id.find('"', 1);
        if (end == std::string_view::npos) return {};
        id = id.substr(1, end - 1);
    } else {
        id = id.substr(0, id.find_first_of(" ;"));
    }
    if (id.ends_with('.')) id.remove_suffix(1);
    auto canonical = canonical_domain(id);
    return canonical ? *canonical : std::string();
}

}  // namespace postern::mail
