#include <algorithm>
#include <smtp/reply_reader.hpp>
#include <utility>

namespace postern::smtp {

std::string PeerReply::text() const {
    std::string all = std::to_string(code);
    for (const auto& line : lines) {
        all += ' ';
        all += line;
        if (all.size() > 1000) break;
    }
    return all.substr(0, 1000);
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

static std::string enhanced_code(std::string_view text, int kind) {
    const auto word = text.substr(0, text.find(' '));
    if (word.size() < 5 || word.size() > 11 || word[0] != '0' + kind || word[1] != '.') return {};
    const auto dot = word.find('.', 2);
    if (dot == std::string_view::npos || dot == 2 || dot + 1 == word.size()) return {};
    const bool good = std::all_of(word.begin(), word.end(), [](char c) { return digit(c) || c == '.'; });
    return good && std::count(word.begin(), word.end(), '.') == 2 ? std::string(word) : std::string();
}

bool ReplyReader::take(std::string_view line, bool& last) {
    if (line.find('\0') != std::string_view::npos || line.find('\r') != std::string_view::npos) {
        fault_ = "a reply with NUL or bare CR";
        return false;
    }
    const bool coded = line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && digit(line[1]) && digit(line[2]) &&
                       (line.size() == 3 || line[3] == ' ' || line[3] == '-');
    if (!coded) {
        fault_ = "a reply without a code";
        return false;
    }
    const auto code = static_cast<std::uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0');
    if (!building_.lines.empty() && code != building_.code) {
        fault_ = "a reply with two codes";
        return false;
    }
    building_.code = code;
    building_.lines.emplace_back(line.size() > 4 ? line.substr(4) : std::string_view());
    last = line.size() == 3 || line[3] == ' ';
    return true;
}

std::optional<PeerReply> ReplyReader::next() {
    while (fault_.empty()) {
        const auto end = input_.find('\n');
        if (octets_ + (end == std::string::npos ? input_.size() : end) > most_octets_ ||
            building_.lines.size() >= most_lines_) {
            fault_ = "a reply without end";
            break;
        }
        if (end == std::string::npos) break;
        auto line = input_.substr(0, end);
        input_.erase(0, end + 1);
        octets_ += line.size();
        if (!line.ends_with('\r')) {
            fault_ = "a reply with a bare LF";
            break;
        }
        line.pop_back();
        bool last = false;
        if (!take(line, last)) break;
        if (!last) continue;
        octets_ = 0;
        building_.enhanced = enhanced_code(building_.lines.back(), building_.kind());
        return std::exchange(building_, {});
    }
    return std::nullopt;
}

}  // namespace postern::smtp
