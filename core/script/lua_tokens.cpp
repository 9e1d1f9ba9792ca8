#include <algorithm>
#include <script/lua_tokens.hpp>

namespace postern::script {

namespace {

constexpr std::string_view keywords[] = {"and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
                                         "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
                                         "repeat",   "return", "then", "true", "until",  "while"};
// Longer ones first.
constexpr std::string_view symbols[] = {"...", "..", "==", "~=", "<=", ">=", "<<", ">>", "//", "::"};

bool digit(char c) { return c >= '0' && c <= '9'; }
bool in_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || digit(c) || c == '_'; }

class Reader {
public:
    explicit Reader(std::string_view source) : source_(source) {}
    std::vector<Token> tokens() {
        for (;;) {
            skip_blank();
            const auto begun = at_;
            if (at_ == source_.size()) break;
            const auto kind = read();
            tokens_.push_back({kind, source_.substr(begun, at_ - begun), begun, line_});
            line_ += static_cast<std::uint32_t>(std::ranges::count(tokens_.back().text, '\n'));
        }
        tokens_.push_back({Token::Kind::end, {}, at_, line_});
        return std::move(tokens_);
    }

private:
    std::string_view rest() const { return source_.substr(at_); }
    void to(std::size_t place) { at_ = std::min(place, source_.size()); }

    void skip_blank() {
        for (;;) {
            const auto begun = at_;
            to(source_.find_first_not_of(" \t\r\n\v\f", at_));
            if (rest().starts_with("--")) {
                at_ += 2;
                if (!long_text()) to(source_.find('\n', at_));
            }
            if (at_ == begun) return;
            line_ += static_cast<std::uint32_t>(std::ranges::count(source_.substr(begun, at_ - begun), '\n'));
        }
    }

    // [[...]], [=[...]=] and so on.
    bool long_text() {
        if (!rest().starts_with('[')) return false;
        const auto second = source_.find_first_not_of('=', at_ + 1);
        if (second == std::string_view::npos || source_[second] != '[') return false;
        const auto close = "]" + std::string(second - at_ - 1, '=') + "]";
        const auto found = source_.find(close, second);
        to(found == std::string_view::npos ? found : found + close.size());
        return true;
    }

    void quoted() {
        const char mark = source_[at_++];
        while (at_ < source_.size() && source_[at_] != mark) at_ += source_[at_] == '\\' ? 2 : 1;
        to(at_ + 1);
    }

    // As Lua's read_numeral: whatever could belong to a number does.
    void number() {
        const bool hex = rest().starts_with("0x") || rest().starts_with("0X");
        const std::string_view exponents = hex ? "pP" : "eE";
        while (at_ < source_.size()) {
            const char c = source_[at_];
            const bool signed_exponent = exponents.find(c) != std::string_view::npos && at_ + 1 < source_.size() &&
                                         (source_[at_ + 1] == '+' || source_[at_ + 1] == '-');
            if (signed_exponent) ++at_;
            else if (!in_name(c) && c != '.') return;
            ++at_;
        }
    }

    Token::Kind read() {
        const char c = source_[at_];
        if (digit(c) || (c == '.' && at_ + 1 < source_.size() && digit(source_[at_ + 1]))) {
            number();
            return Token::Kind::number;
        }
        if (in_name(c)) {
            const auto begun = at_;
            while (at_ < source_.size() && in_name(source_[at_])) ++at_;
            const bool reserved = std::ranges::find(keywords, source_.substr(begun, at_ - begun)) != std::end(keywords);
            return reserved ? Token::Kind::keyword : Token::Kind::name;
        }
        if (c == '"' || c == '\'') {
            quoted();
            return Token::Kind::text;
        }
        if (long_text()) return Token::Kind::text;
        const auto* known = std::ranges::find_if(symbols, [&](auto one) { return rest().starts_with(one); });
        to(at_ + (known == std::end(symbols) ? 1 : known->size()));
        return Token::Kind::symbol;
    }

    std::string_view source_;
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
    std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> lua_tokens(std::string_view source) { return Reader(source).tokens(); }

}  // namespace postern::script
