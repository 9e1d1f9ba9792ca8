#include <mail/header.hpp>
#include <net/header_edits.hpp>

namespace postern::net {

static constexpr std::size_t line_aim = 78;

static std::string field(std::string_view name, std::string_view value) {
    std::string text(name);
    text += ": ";
    std::size_t column = text.size();
    while (!value.empty()) {
        const auto blank = value.find(' ', 1);
        const auto word = value.substr(0, blank);
        // Folding stands before a blank, which then begins the next line.
        if (column + word.size() > line_aim && word.front() == ' ' && column > name.size() + 2) {
            text += "\r\n";
            column = 0;
        }
        text += word;
        column += word.size();
        value.remove_prefix(word.size());
    }
    return text + "\r\n";
}

static std::string rewritten(std::string_view header, const Effect& effect) {
    std::string text;
    bool done = false;
    for (const auto& one : mail::fields(header)) {
        if (!mail::named(one, effect.name)) text += one.raw;
        else if (!std::exchange(done, true)) text += field(one.name, effect.value);
    }
    if (!done) text = field(effect.name, effect.value) + text;
    return text;
}

std::string edited(std::string_view header, const std::vector<Effect>& effects) {
    // The empty line that ends the section is no field.
    const bool ended = header == "\r\n" || header.ends_with("\r\n\r\n");
    std::string text(ended ? header.substr(0, header.size() - 2) : header);
    for (const auto& effect : effects) {
        if (effect.kind == EffectKind::add_field) text = field(effect.name, effect.value) + text;
        if (effect.kind == EffectKind::rewrite_field) text = rewritten(text, effect);
        if (effect.kind == EffectKind::remove_field)
            text = mail::without(text, [&](const mail::HeaderField& one) { return mail::named(one, effect.name); });
    }
    return text + (ended ? "\r\n" : "");
}

}  // namespace postern::net
