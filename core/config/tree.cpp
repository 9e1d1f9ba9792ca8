#include <unistd.h>

#include <algorithm>
#include <boost/property_tree/info_parser.hpp>
#include <config/tree.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>

namespace postern::config {

namespace {

namespace fs = std::filesystem;
namespace pt = boost::property_tree;

constexpr int deepest_include = 8;
constexpr std::size_t largest_file = 16u << 20;

struct Word {
    std::string text;
    bool quoted = false;
};

// The words of one line; a ';' outside quotes ends it.
std::vector<Word> words_of(std::string_view line, bool& open_quote) {
    std::vector<Word> words;
    open_quote = false;
    for (std::size_t i = 0; i < line.size();) {
        if (line[i] == ' ' || line[i] == '\t' || line[i] == '\r') {
            ++i;
            continue;
        }
        if (line[i] == ';') break;
        Word word;
        if (line[i] == '"') {
            word.quoted = true;
            for (++i; i < line.size() && line[i] != '"'; ++i) {
                if (line[i] == '\\' && i + 1 < line.size()) ++i;
                word.text += line[i];
            }
            open_quote |= i >= line.size();
            ++i;
        } else {
            while (i < line.size() && std::string_view(" \t\r;\"").find(line[i]) == std::string_view::npos)
                word.text += line[i++];
        }
        words.push_back(std::move(word));
    }
    return words;
}

class Reader {
public:
    Reader(std::string file, std::vector<ConfigProblem>& problems, int depth)
        : file_(std::move(file)), problems_(problems), depth_(depth) {}

    void read(SettingsNode& into) {
        SettingsNode top;
        parse(top);
        std::move(top.children.begin(), top.children.end(), std::back_inserter(into.children));
    }

private:
    void parse(SettingsNode& top) {
        std::ifstream stream(file_, std::ios::binary);
        if (!stream) return report("", "cannot be read: " + std::string(std::strerror(errno)));
        std::ostringstream whole;
        whole << stream.rdbuf();
        const auto text = whole.str();
        if (text.size() > largest_file) return report("", "is larger than 16 MB");
        path_ = {&top};
        for (std::size_t begin = 0; begin < text.size();) {
            const auto end = std::min(text.find('\n', begin), text.size());
            const auto line = std::string_view(text).substr(begin, end - begin);
            ++line_;
            piece_of(line, begin, text, top);
            if (!take(line)) return;
            begin = end + 1;
        }
        if (path_.size() > 1)
            report(path_.back()->key,
                   "the block that begins at line " + std::to_string(path_.back()->line) + " is not closed");
        else compare(text, top);
    }

    // A piece is a key of the top with its block. PropertyTree is slow on ten thousand partners, and where every line
    // is plain there is but one way to read it: it is asked about the other pieces.
    struct Piece {
        std::size_t begin = 0, end = 0, first_child = 0;
        std::uint32_t line = 0;
        bool plain = true, included = false;
    };

    void piece_of(std::string_view line, std::size_t begin, const std::string& text, const SettingsNode& top) {
        const auto first = line.find_first_not_of(" \t\r");
        if (first == std::string_view::npos || line[first] == ';') return;
        // A { on its own belongs to the key before it.
        if (path_.size() == 1 && line[first] != '{') {
            compare(text, top);
            piece_ = {begin, begin, top.children.size(), line_};
        }
        piece_.end = begin + line.size();
        piece_.plain = piece_.plain && plain(line.substr(first));
    }

    // At most two words and a { behind them, or a } alone; ASCII, and nothing that could mean something else.
    static bool plain(std::string_view line) {
        unsigned words = 0;
        bool in_word = false, braced = false;
        for (std::size_t i = 0; i < line.size(); ++i) {
            const char c = line[i];
            if (c == ' ' || c == '\t' || c == '\r') {
                in_word = false;
                continue;
            }
            if (c == ';') return !in_word;
            if (c < '!' || c > '~' || c == '"' || c == '\\' || c == '#' || braced) return false;
            const bool brace = c == '{' || c == '}';
            if (brace && (in_word || (words == 0) != (c == '}'))) return false;
            braced = brace;
            words += !in_word;
            if (words > 3 || (words == 3 && !brace)) return false;
            in_word = true;
        }
        return true;
    }

    void report(const std::string& key, const std::string& problem) {
        problems_.push_back({file_, line_, key, problem, false});
    }

    bool take(std::string_view line) {
        bool open_quote = false;
        auto words = words_of(line, open_quote);
        if (open_quote) report(words.back().text, "the quote is not closed on this line");
        if (!words.empty() && !words[0].quoted && words[0].text == "#include") return include(words);
        std::size_t at = 0;
        while (at < words.size() && !words[at].quoted && (words[at].text == "}" || words[at].text == "{")) {
            if (words[at].text == "}") {
                if (path_.size() == 1) {
                    report("}", "closes no block");
                    return false;
                }
                path_.pop_back();
            } else if (!path_.back()->children.empty()) {
                path_.push_back(&path_.back()->children.back());
            }
            ++at;
        }
        if (at == words.size()) return true;
        SettingsNode node;
        node.key = words[at].text;
        node.file = file_;
        node.line = line_;
        if (++at < words.size() && (words[at].quoted || words[at].text != "{")) node.value = words[at++].text;
        path_.back()->children.push_back(std::move(node));
        auto& placed = path_.back()->children.back();
        if (at < words.size() && !words[at].quoted && words[at].text == "{") {
            path_.push_back(&placed);
            ++at;
        }
        if (at < words.size() && !words[at].quoted && words[at].text == "}" && path_.size() > 1) {
            path_.pop_back();
            ++at;
        }
        if (at < words.size())
            report(placed.key, "one entry a line: write a list as a block, and quote a value with blanks:\n    " +
                                   placed.key + " {\n      " + placed.value + "\n      " + words[at].text + "\n    }");
        return true;
    }

    bool include(const std::vector<Word>& words) {
        piece_.included = true;
        if (words.size() != 2) {
            report("#include", "wants one quoted file name");
            return true;
        }
        if (depth_ >= deepest_include) {
            report("#include", "files include one another more than 8 deep");
            return true;
        }
        const auto other = fs::path(file_).parent_path() / words[1].text;
        if (::access(other.c_str(), R_OK) != 0) {
            report("#include", other.string() + " cannot be read: " + std::strerror(errno));
            return true;
        }
        Reader(other.string(), problems_, depth_ + 1).read(*path_.back());
        return true;
    }

    // The location pass must have seen what PropertyTree sees; otherwise the file is not what it looks like.
    void compare(const std::string& text, const SettingsNode& top) {
        if (piece_.plain || piece_.included) return;
        if (std::any_of(problems_.begin(), problems_.end(), [&](const auto& one) { return one.file == file_; })) return;
        const auto line = std::exchange(line_, piece_.line);
        pt::ptree tree;
        try {
            std::istringstream stream(text.substr(piece_.begin, piece_.end - piece_.begin) + "\n");
            pt::read_info(stream, tree);
            if (!same(tree, std::span(top.children).subspan(piece_.first_child)))
                report("", "the text is ambiguous: quote values that hold braces, quotes or #");
        } catch (const pt::info_parser_error& error) {
            line_ += static_cast<std::uint32_t>(std::max(error.line(), 1ul)) - 1;
            report("", error.message());
        }
        line_ = line;
    }

    static bool same(const pt::ptree& tree, std::span<const SettingsNode> nodes) {
        if (tree.size() != nodes.size()) return false;
        auto child = nodes.begin();
        for (const auto& [key, subtree] : tree) {
            if (key != child->key || subtree.data() != child->value || !same(subtree, child->children)) return false;
            ++child;
        }
        return true;
    }

    std::string file_;
    std::vector<ConfigProblem>& problems_;
    int depth_;
    std::uint32_t line_ = 0;
    std::vector<SettingsNode*> path_;
    Piece piece_;
};

}  // namespace

SettingsNode read_tree(const std::string& file, std::vector<ConfigProblem>& problems) {
    SettingsNode top;
    Reader(file, problems, 0).read(top);
    std::vector<std::string> more;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(fs::path(file).parent_path() / "conf.d", none))
        if (entry.path().extension() == ".conf") more.push_back(entry.path());
    std::sort(more.begin(), more.end());
    for (const auto& one : more) Reader(one, problems, 0).read(top);
    return top;
}

}  // namespace postern::config
