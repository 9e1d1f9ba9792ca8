#include <algorithm>
#include <script/pattern_cost.hpp>

namespace postern::script {

namespace {

// One item of a pattern: how long it is written, and what it is.
struct Item {
    std::size_t length = 1;
    bool mark = false;   // "(" and ")": compares nothing
    bool walks = false;  // %b, %1: compares along the subject each time that it is tried
    double tests = 1;    // comparisons an octet: a set tries its members one after the other
};

std::size_t set_length(std::string_view rest) {
    std::size_t i = 1;
    if (i < rest.size() && rest[i] == '^') ++i;
    bool first = true;  // "]" as the first member is one
    while (i < rest.size() && (first || rest[i] != ']')) {
        i += rest[i] == '%' ? 2 : 1;
        first = false;
    }
    return std::min(i + 1, rest.size());
}

Item item_at(std::string_view rest) {
    Item item;
    item.mark = rest[0] == '(' || rest[0] == ')';
    if (rest[0] == '[') {
        item.length = set_length(rest);
        item.tests = static_cast<double>(item.length);
    } else if (rest[0] == '%' && rest.size() > 1) {
        item.length = 2;
        if (rest[1] == 'b') {
            item.length = std::min<std::size_t>(4, rest.size());
            item.walks = true;
        } else if (rest[1] == 'f' && rest.size() > 2 && rest[2] == '[') {
            item.length = 2 + set_length(rest.substr(2));
            item.tests = static_cast<double>(item.length);
        } else if (rest[1] >= '0' && rest[1] <= '9') {
            item.walks = true;
        }
    }
    return item;
}

}  // namespace

double pattern_steps(std::string_view pattern, std::size_t subject, bool anchored) {
    if (anchored && pattern.starts_with('^')) pattern.remove_prefix(1);
    else anchored = false;
    double choices = anchored ? 0 : 1;  // positions chosen freely: the start, and each repetition's end
    double doublings = 1, tests = 1, run = 0, longest_run = 1;
    while (!pattern.empty()) {
        const auto item = item_at(pattern);
        pattern.remove_prefix(item.length);
        tests = std::max(tests, item.tests);
        if (!item.mark) run += 1;
        if (item.walks) choices += 1;
        if (pattern.empty()) {
        } else if (pattern[0] == '*' || pattern[0] == '+' || pattern[0] == '-') {
            choices += 1;
            run = 0;
            pattern.remove_prefix(1);
        } else if (pattern[0] == '?') {
            doublings *= 2;
            pattern.remove_prefix(1);
        }
        longest_run = std::max(longest_run, run);
    }
    // Ordered choices out of n + 1 positions: n^k / k!.
    double steps = 1;
    for (double k = 1; k <= choices; k += 1) steps *= (static_cast<double>(subject) + k) / k;
    return steps * doublings * tests * longest_run;
}

}  // namespace postern::script
