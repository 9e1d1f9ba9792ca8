#include <algorithm>
#include <script/branches.hpp>
#include <script/lua_tokens.hpp>

namespace postern::script {

namespace {

struct NotUnderstood {};

// Lua 5.4's operators with the priorities of its own parser: left, right.
struct Operator {
    std::string_view text;
    int left, right;
};
constexpr Operator operators[] = {
    {"or", 1, 1},  {"and", 2, 2}, {"<", 3, 3},   {">", 3, 3},   {"<=", 3, 3},   {">=", 3, 3},  {"~=", 3, 3},
    {"==", 3, 3},  {"|", 4, 4},   {"~", 5, 5},   {"&", 6, 6},   {"<<", 7, 7},   {">>", 7, 7},  {"..", 9, 8},
    {"+", 10, 10}, {"-", 10, 10}, {"*", 11, 11}, {"/", 11, 11}, {"//", 11, 11}, {"%", 11, 11}, {"^", 14, 13}};
constexpr int unary_priority = 12;

// The grammar of the manual's section 9, walked for the sake of where conditions begin and end.
class Walk {
public:
    explicit Walk(std::string_view source) : source_(source), tokens_(lua_tokens(source)) {}
    Probed probed() {
        block();
        if (now().kind != Token::Kind::end) throw NotUnderstood();
        return {assembled(), std::move(branches_)};
    }

private:
    struct Insertion {
        std::size_t at;
        bool opens;
        std::size_t made;
        std::string text;
    };

    const Token& now() const { return tokens_[place_]; }
    std::size_t end_of_last() const { return place_ ? tokens_[place_ - 1].after() : 0; }
    bool take(std::string_view text) {
        if (!now().is(text)) return false;
        ++place_;
        return true;
    }
    void want(std::string_view text) {
        if (!take(text)) throw NotUnderstood();
    }
    void want_name() {
        if (now().kind != Token::Kind::name) throw NotUnderstood();
        ++place_;
    }

    std::size_t branch(std::string what, const Token& where) {
        const auto line_begun = source_.substr(0, where.at).rfind('\n');
        const auto column = where.at - (line_begun == std::string_view::npos ? 0 : line_begun + 1) + 1;
        branches_.push_back({std::move(what), where.line, static_cast<std::uint32_t>(column)});
        return branches_.size();
    }
    void insert(std::size_t at, bool opens, std::string text) {
        insertions_.push_back({at, opens, insertions_.size(), std::move(text)});
    }
    void probe(std::string what, std::size_t first) {
        const auto number = branch(std::move(what), tokens_[first]);
        insert(tokens_[first].at, true, " PROBE(" + std::to_string(number) + ",");
        insert(end_of_last(), false, ")");
    }

    void block() {
        constexpr std::string_view ends[] = {"end", "else", "elseif", "until"};
        while (now().kind != Token::Kind::end && std::ranges::none_of(ends, [&](auto one) { return now().is(one); })) {
            if (take("return")) {
                if (!ends_block() && !now().is(";")) expressions();
                take(";");
                return;
            }
            statement();
        }
    }
    bool ends_block() const {
        return now().kind == Token::Kind::end || now().is("end") || now().is("else") || now().is("elseif") ||
               now().is("until");
    }

    void statement() {
        if (take(";") || take("break")) return;
        if (take("::")) return want_name(), want("::");
        if (take("goto")) return want_name();
        if (take("do")) return block(), want("end");
        if (take("if")) return if_statement();
        if (take("while")) return condition("while"), want("do"), block(), want("end");
        if (take("repeat")) return block(), want("until"), condition("until");
        if (take("for")) return for_statement();
        if (now().is("function")) return function_statement();
        if (take("local")) return local_statement();
        suffixed();
        while (take(",")) suffixed();
        if (take("=")) expressions();
    }

    void if_statement() {
        condition("if");
        want("then");
        block();
        while (take("elseif")) {
            condition("elseif");
            want("then");
            block();
        }
        if (take("else")) block();
        want("end");
    }

    void for_statement() {
        want_name();
        while (take(",")) want_name();
        if (!take("=")) want("in");
        expressions();
        want("do");
        block();
        want("end");
    }

    void function_statement() {
        const auto first = place_;
        want("function");
        want_name();
        while (take(".") || take(":")) want_name();
        function_body(first);
    }

    void local_statement() {
        if (now().is("function")) return function_statement();
        do {
            want_name();
            if (take("<")) want_name(), want(">");
        } while (take(","));
        if (take("=")) expressions();
    }

    void function_body(std::size_t first) {
        want("(");
        for (; !take(")"); ++place_)
            if (now().kind == Token::Kind::end) throw NotUnderstood();
        const auto number = branch("function", tokens_[first]);
        insert(end_of_last(), false, " PROBE(" + std::to_string(number) + ",true);");
        block();
        want("end");
    }

    // A constant decides nothing: `while true do`.
    void condition(std::string what) {
        const auto first = place_;
        expression(0);
        constexpr std::string_view constants[] = {"true", "false", "nil"};
        const bool constant = place_ == first + 1 &&
                              (tokens_[first].kind == Token::Kind::number || tokens_[first].kind == Token::Kind::text ||
                               std::ranges::any_of(constants, [&](auto one) { return tokens_[first].is(one); }));
        if (!constant) probe(std::move(what), first);
    }

    void expressions() {
        do expression(0);
        while (take(","));
    }

    void expression(int limit) {
        if (++depth_ > 200) throw NotUnderstood();
        auto first = place_;  // of the operand that a coming and/or looks at
        std::string_view last;
        if (take("not") || take("-") || take("#") || take("~")) expression(unary_priority);
        else simple();
        const auto begun = first;
        for (;;) {
            const auto* found = std::ranges::find_if(operators, [&](const auto& one) { return now().is(one.text); });
            if (found == std::end(operators) || found->left <= limit) break;
            const bool decides = found->text == "and" || found->text == "or";
            // In `a or b or c` each is looked at by itself; `a and b or c` asks what became of `a and b`.
            if (decides) probe(std::string(found->text), found->text == last ? first : begun);
            last = found->text;
            ++place_;
            first = place_;
            expression(found->right);
        }
        --depth_;
    }

    void simple() {
        using Kind = Token::Kind;
        const auto first = place_;
        if (now().kind == Kind::number || now().kind == Kind::text) return void(++place_);
        if (take("nil") || take("true") || take("false") || take("...")) return;
        if (now().is("{")) return table();
        if (take("function")) return function_body(first);
        suffixed();
    }

    void suffixed() {
        if (take("(")) expression(0), want(")");
        else want_name();
        for (;;) {
            if (take(".")) want_name();
            else if (take("[")) expression(0), want("]");
            else if (take(":")) want_name(), arguments();
            else if (now().is("(") || now().is("{") || now().kind == Token::Kind::text) arguments();
            else return;
        }
    }

    void arguments() {
        if (now().kind == Token::Kind::text) return void(++place_);
        if (now().is("{")) return table();
        want("(");
        if (take(")")) return;
        expressions();
        want(")");
    }

    void table() {
        want("{");
        while (!take("}")) {
            if (take("[")) expression(0), want("]"), want("=");
            else if (now().kind == Token::Kind::name && tokens_[place_ + 1].is("=")) place_ += 2;
            expression(0);
            if (!take(",")) take(";");
        }
    }

    // Of those at one place what closes comes first; of what opens, the outer, which was found later.
    std::string assembled() {
        std::ranges::sort(insertions_, [](const Insertion& a, const Insertion& b) {
            if (a.at != b.at) return a.at < b.at;
            if (a.opens != b.opens) return b.opens;
            return a.opens ? a.made > b.made : a.made < b.made;
        });
        std::string name = "probe";
        while (source_.find(name) != std::string_view::npos) name += "_";
        std::string text = "local " + name + " = ... return function(...) ";
        std::size_t done = 0;
        for (auto& one : insertions_) {
            text += source_.substr(done, one.at - done);
            done = one.at;
            constexpr std::string_view word = "PROBE";
            if (const auto found = one.text.find(word); found != std::string::npos)
                one.text.replace(found, word.size(), name);
            text += one.text;
        }
        return text.append(source_.substr(done)) + "\nend";
    }

    std::string_view source_;
    std::vector<Token> tokens_;
    std::size_t place_ = 0;
    int depth_ = 0;
    std::vector<Branch> branches_;
    std::vector<Insertion> insertions_;
};

}  // namespace

std::optional<Probed> with_probes(std::string_view source) {
    try {
        return Walk(source).probed();
    } catch (const NotUnderstood&) {
        return std::nullopt;
    }
}

}  // namespace postern::script
