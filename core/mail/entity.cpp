#include <algorithm>
#include <mail/entity.hpp>
#include <mail/header.hpp>
#include <utility>

namespace postern::mail {

static std::string lower(std::string_view text) {
    std::string low(text);
    std::transform(low.begin(), low.end(), low.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return low;
}

// Blanks and comments (RFC 5322 3.2.2) away from the front.
static void skip_blanks(std::string_view& text) {
    std::size_t depth = 0;
    while (!text.empty()) {
        const char c = text.front();
        if (c == '(') ++depth;
        else if (c == ')' && depth > 0) --depth;
        else if (depth > 0 && c == '\\' && text.size() > 1) text.remove_prefix(1);
        else if (depth == 0 && c != ' ' && c != '\t') return;
        text.remove_prefix(1);
    }
}

// RFC 2045 5.1: a token, or a quoted string.
static std::string word(std::string_view& text) {
    skip_blanks(text);
    std::string value;
    if (text.starts_with('"')) {
        text.remove_prefix(1);
        while (!text.empty() && text.front() != '"') {
            if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
            value += text.front();
            text.remove_prefix(1);
        }
        if (!text.empty()) text.remove_prefix(1);
    } else {
        const auto end = std::min(text.size(), text.find_first_of(" \t()<>@,;:\\\"/[]?="));
        value = text.substr(0, end);
        text.remove_prefix(end);
    }
    skip_blanks(text);
    return value;
}

static void read_type(std::string_view body, Entity& entity) {
    const auto line = unfolded(body);
    std::string_view text = line;
    const auto type = lower(word(text));
    if (type.empty() || !text.starts_with('/')) return;
    text.remove_prefix(1);
    entity.type = type;
    entity.subtype = lower(word(text));
    while (text.starts_with(';')) {
        text.remove_prefix(1);
        const auto name = lower(word(text));
        if (!text.starts_with('=')) break;
        text.remove_prefix(1);
        auto value = word(text);
        if (name == "boundary") entity.boundary = std::move(value);
    }
}

Entity entity_of(std::string_view header) {
    Entity entity;
    for (const auto& field : fields(header)) {
        if (named(field, "MIME-Version")) entity.is_mime = true;
        if (named(field, "Content-Type") && !std::exchange(entity.says_type, true)) read_type(field.body, entity);
        if (!named(field, "Content-Transfer-Encoding") || std::exchange(entity.says_encoding, true)) continue;
        const auto line = unfolded(field.body);
        std::string_view text = line;
        entity.encoding = lower(word(text));
    }
    return entity;
}

}  // namespace postern::mail
