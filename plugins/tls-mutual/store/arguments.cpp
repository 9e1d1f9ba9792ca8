#include <algorithm>
#include <tls-mutual/store/arguments.hpp>

namespace postern::tls_mutual {
namespace {

Failure wrong(std::string text) { return {"usage", std::move(text)}; }

// What was probably meant: the option with the longest common beginning.
std::string meant(std::string_view word, const std::vector<Option>& options) {
    std::string_view best;
    std::size_t longest = 3;
    for (const auto& option : options) {
        const auto same = static_cast<std::size_t>(std::ranges::mismatch(option.name, word).in1 - option.name.begin());
        if (same > longest) {
            longest = same;
            best = option.name;
        }
    }
    return best.empty() ? std::string() : " (did you mean " + std::string(best) + "?)";
}

}  // namespace

Outcome<Arguments> Arguments::read(const std::vector<std::string>& words, const std::vector<Option>& options,
                                   std::size_t most_plain) {
    Arguments arguments;
    for (std::size_t at = 0; at < words.size(); ++at) {
        const auto& word = words[at];
        if (!word.starts_with("--")) {
            if (arguments.plain_.size() == most_plain) return wrong("what is \"" + word + "\"?");
            arguments.plain_.push_back(word);
            continue;
        }
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        const auto option = std::ranges::find(options, std::string_view(name), &Option::name);
        if (option == options.end()) return wrong("there is no option " + name + meant(name, options));
        auto& values = arguments.given_[name];
        if (option->takes == Takes::nothing) {
            if (equals != std::string::npos) return wrong(name + " takes no value");
            continue;
        }
        if (option->takes == Takes::one && !values.empty()) return wrong(name + " stands twice");
        if (equals == std::string::npos && at + 1 == words.size()) return wrong(name + " wants a value");
        values.push_back(equals == std::string::npos ? words[++at] : word.substr(equals + 1));
        if (values.back().empty()) return wrong(name + " wants a value");
    }
    return arguments;
}

std::string Arguments::value(std::string_view option, std::string_view otherwise) const {
    const auto found = given_.find(option);
    return found == given_.end() || found->second.empty() ? std::string(otherwise) : found->second.front();
}

std::vector<std::string> Arguments::values(std::string_view option) const {
    const auto found = given_.find(option);
    return found == given_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace postern::tls_mutual
