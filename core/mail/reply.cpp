#include <algorithm>
#include <mail/reply.hpp>

namespace postern::mail {

static std::string printable(std::string_view text) {
    std::string safe;
    for (unsigned char c : text) safe += c >= 32 && c < 127 ? static_cast<char>(c) : '?';
    return safe;
}

std::string to_wire(const Reply& reply, bool with_enhanced) {
    const auto code = std::to_string(reply.code);
    const auto enhanced = with_enhanced && !reply.enhanced.empty() ? reply.enhanced + " " : std::string();
    // RFC 5321 4.5.3.1.5: 512 octets with CRLF.
    const std::size_t room = 512 - 2 - 4 - enhanced.size();
    std::string wire;
    for (std::size_t i = 0; i < reply.lines.size(); ++i) {
        const bool last = i + 1 == reply.lines.size();
        wire += code + (last ? " " : "-") + enhanced + printable(reply.lines[i]).substr(0, room) + "\r\n";
    }
    return wire;
}

static bool is_enhanced(std::string_view text, char first) {
    if (text.empty()) return true;
    if (text.size() < 5 || text.front() != first) return false;
    int dots = 0;
    for (char c : text) {
        if (c == '.') ++dots;
        else if (c < '0' || c > '9') return false;
    }
    return dots == 2 && text.back() != '.' && text[1] == '.';
}

bool usable(const Verdict& verdict) {
    const auto& reply = verdict.reply;
    const bool defer = verdict.kind == VerdictKind::defer;
    if (!defer && verdict.kind != VerdictKind::reject) return false;
    if (reply.code < (defer ? 400 : 500) || reply.code > (defer ? 499 : 599)) return false;
    if (reply.text.empty() || !is_enhanced(reply.enhanced, defer ? '4' : '5')) return false;
    return std::none_of(reply.text.begin(), reply.text.end(), [](unsigned char c) { return c < 32 || c == 127; });
}

Reply checked(const Verdict& verdict) {
    if (!usable(verdict)) return {451, "4.3.0", "a policy here gave no usable answer, try again later"};
    const auto& reply = verdict.reply;
    const auto* otherwise = verdict.kind == VerdictKind::defer ? "4.7.1" : "5.7.1";
    return {reply.code, reply.enhanced.empty() ? otherwise : reply.enhanced, reply.text};
}

}  // namespace postern::mail
