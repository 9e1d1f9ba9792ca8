#include <algorithm>
#include <config/keys.hpp>
#include <script/spelling.hpp>

namespace postern::script {

namespace {

constexpr std::size_t most_faults = 20;

bool in_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// The source without comments and quoted texts, every line break kept.
class Reader {
public:
    explicit Reader(std::string_view source) : rest_(source) {}
    std::string code() {
        while (!rest_.empty()) {
            if (rest_.starts_with("--")) comment();
            else if (rest_[0] == '"' || rest_[0] == '\'') quoted();
            else if (!long_text()) take(1, true);
        }
        return std::move(code_);
    }

private:
    void take(std::size_t count, bool keep) {
        for (const char c : rest_.substr(0, count))
            if (keep || c == '\n') code_ += c;
        rest_.remove_prefix(std::min(count, rest_.size()));
    }
    void comment() {
        take(2, false);
        if (!long_text()) take(rest_.find('\n'), false);
    }
    void quoted() {
        std::size_t end = 1;
        while (end < rest_.size() && rest_[end] != rest_[0] && rest_[end] != '\n') end += rest_[end] == '\\' ? 2 : 1;
        take(end + 1, false);
        code_ += "''";
    }
    // [[...]], [=[...]=] and so on.
    bool long_text() {
        if (!rest_.starts_with('[')) return false;
        const auto second = rest_.find_first_not_of('=', 1);
        if (second == std::string_view::npos || rest_[second] != '[') return false;
        const auto close = "]" + std::string(second - 1, '=') + "]";
        const auto end = rest_.find(close);
        take(end == std::string_view::npos ? rest_.size() : end + close.size(), false);
        code_ += "''";
        return true;
    }

    std::string_view rest_;
    std::string code_;
};

}  // namespace

std::vector<LuaState::Fault> misspelt(std::string_view source, const std::vector<std::string>& fields) {
    std::vector<LuaState::Fault> faults;
    const std::string code = Reader(source).code();
    constexpr std::string_view table = "postern.";
    std::uint32_t line = 1;
    std::size_t counted = 0;
    for (auto at = code.find(table); at != std::string::npos && faults.size() < most_faults;
         at = code.find(table, at + 1)) {
        const bool part_of_another = at > 0 && (in_name(code[at - 1]) || code[at - 1] == '.' || code[at - 1] == ':');
        auto end = at + table.size();
        while (end < code.size() && in_name(code[end])) ++end;
        const auto name = code.substr(at + table.size(), end - at - table.size());
        if (part_of_another || name.empty()) continue;
        if (std::find(fields.begin(), fields.end(), name) != fields.end()) continue;
        line += static_cast<std::uint32_t>(std::count(code.begin() + static_cast<std::ptrdiff_t>(counted),
                                                      code.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
        counted = at;
        faults.push_back(
            {line, "there is no postern." + name.substr(0, 60) + config::nearest(name.substr(0, 60), fields), false});
    }
    return faults;
}

}  // namespace postern::script
