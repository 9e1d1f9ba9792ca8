#include <algorithm>
#include <app/verbs.hpp>
#include <config/keys.hpp>
#include <sstream>

namespace postern::app {

namespace {

std::vector<std::string> split(const std::string& words) {
    std::istringstream stream(words);
    std::vector<std::string> all;
    for (std::string word; stream >> word;) all.push_back(word);
    return all;
}

std::string first_words(const std::vector<std::string>& line, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < std::min(count, line.size()); ++i) text += (i ? " " : "") + line[i];
    return text;
}

}  // namespace

std::vector<KnownVerb> known_verbs(const plugins::PluginSet& plugins) {
    std::vector<KnownVerb> all;
    for (const auto& from : plugins.verbs())
        for (auto& spec : from.verbs->verbs())
            if (!split(spec.words).empty()) all.push_back({std::move(spec), from});
    std::ranges::stable_sort(all, {}, [](const KnownVerb& one) { return one.spec.words; });
    const auto same = std::ranges::unique(all, {}, [](const KnownVerb& one) { return one.spec.words; });
    all.erase(same.begin(), same.end());
    return all;
}

const KnownVerb* find_verb(const std::vector<KnownVerb>& known, const std::vector<std::string>& line) {
    const KnownVerb* best = nullptr;
    std::size_t longest = 0;
    for (const auto& one : known) {
        const auto words = split(one.spec.words);
        if (words.size() <= longest || words.size() > line.size()) continue;
        if (!std::equal(words.begin(), words.end(), line.begin())) continue;
        best = &one;
        longest = words.size();
    }
    return best;
}

std::string verb_suggestion(const std::vector<KnownVerb>& known, std::vector<std::string> more,
                            const std::vector<std::string>& line) {
    for (const auto& one : known) more.push_back(one.spec.words);
    for (std::size_t count : {3, 2, 1})
        if (auto text = config::nearest(first_words(line, count), more); !text.empty()) return text;
    return {};
}

}  // namespace postern::app
