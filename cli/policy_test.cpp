#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cli/place.hpp>
#include <cli/policy_test.hpp>
#include <cli/terminal.hpp>
#include <filesystem>
#include <script/loaded_set.hpp>
#include <script/policy_test.hpp>

namespace postern::cli {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* usage =
    "usage: postern policy test [FILE|FOLDER...] [--listed DOMAIN]... [--coverage] [--min-coverage PERCENT] [--json]\n"
    "  runs NAME_test.lua, which says what NAME.lua beside it is to answer; without FILE those of the configured "
    "scripts\n";
constexpr std::size_t most_tests = 1000;

struct Options {
    std::vector<std::string> places;
    script::TestWishes wishes;
    std::optional<unsigned> least;  // percent
    bool json = false, show_coverage = false;
};

std::optional<unsigned> percent(const std::string& text) {
    unsigned value = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (bad != std::errc() || end != text.data() + text.size() || value > 100) return std::nullopt;
    return value;
}

// Nothing, or what is wrong.
std::string read_option(Options& options, const std::vector<std::string>& words, std::size_t& i) {
    const auto& word = words[i];
    if (word == "--json") return options.json = true, std::string();
    if (word == "--coverage") return options.wishes.coverage = options.show_coverage = true, std::string();
    if (word != "--listed" && word != "--min-coverage") return "there is no option " + word;
    if (++i == words.size()) return word + " wants a value";
    if (word == "--listed") {
        auto& lists = options.wishes.listed;
        if (script::add_entry(lists.send, words[i]) && script::add_entry(lists.receive, words[i])) return {};
        return "--listed: \"" + words[i] + "\" is no domain name";
    }
    options.least = percent(words[i]);
    options.wishes.coverage = true;
    return options.least ? std::string() : "--min-coverage: \"" + words[i] + "\" is no percentage from 0 to 100";
}

int refuse(const std::string& why) {
    print("postern: " + why + "\n", stderr);
    return exit_usage;
}

// ---- which files ----------------------------------------------------------------------------------------------------

// A folder's tests and those in folders below, a test, or a script's test.
std::string find_tests(const std::string& place, std::vector<std::string>& tests) {
    std::error_code wrong;
    if (fs::is_directory(place, wrong)) {
        std::vector<std::string> found;
        for (fs::recursive_directory_iterator one(place, wrong), end; !wrong && one != end; one.increment(wrong))
            if (!script::tested_by(one->path().filename().string()).empty()) found.push_back(one->path().string());
        if (wrong) return place + " cannot be read: " + wrong.message();
        std::ranges::sort(found);
        tests.insert(tests.end(), found.begin(), found.end());
        return {};
    }
    fs::path file(place);
    if (script::tested_by(file.filename().string()).empty()) {
        if (file.extension() != ".lua") return place + " is neither a folder nor a script (NAME.lua, NAME_test.lua)";
        file.replace_filename(file.stem().string() + "_test.lua");
    }
    if (!fs::exists(file, wrong)) return "there is no " + file.string();
    tests.push_back(file.string());
    return {};
}

// The folder that the configuration names; `status` is set where there is none.
std::vector<std::string> configured(const std::optional<std::string>& configuration, int& status) {
    const auto place = find_place(configuration);
    for (const auto& problem : place.problems)
        if (!place.usable) print(config::to_text(problem) + "\n", stderr);
    if (!place.usable) return status = exit_configuration, std::vector<std::string>();
    if (!place.settings.scripts_folder.empty()) return {place.settings.scripts_folder};
    status = refuse("no scripts folder is configured: name a test, as in postern policy test FILE");
    return {};
}

// ---- what came of it ------------------------------------------------------------------------------------------------

struct Totals {
    std::size_t passed = 0, failed = 0, taken = 0, outcomes = 0;

    void add(const script::TestResult& result) {
        for (const auto& one : result.cases) ++(one.failure.empty() ? passed : failed);
        for (const auto& one : result.branches) {
            taken += one.seen();
            outcomes += one.outcomes();
        }
    }
    // Rounded down: 100 is said of all alone.
    unsigned percent() const { return outcomes == 0 ? 100 : static_cast<unsigned>(taken * 100 / outcomes); }
};

std::string place_in_words(const script::Branch& branch) {
    std::string text = "the condition of ";
    if (branch.what == "function") text = "the ";
    if (branch.what == "and" || branch.what == "or") text = "the left side of ";
    return text + branch.what + " (column " + std::to_string(branch.column) + ")";
}

std::string missing(const script::Branch& branch) {
    if (branch.what == "function") return "was never called";
    if (!branch.taken && !branch.not_taken) return "was never reached";
    return branch.taken ? "was never false" : "was never true";
}

std::string coverage_text(const script::TestResult& result) {
    Totals totals;
    totals.add(result);
    std::string text = "  branches " + std::to_string(totals.taken) + " of " + std::to_string(totals.outcomes) + " (" +
                       std::to_string(totals.percent()) + " %)\n";
    for (const auto& one : result.branches)
        if (one.seen() < one.outcomes())
            text += "    " + result.script + ":" + std::to_string(one.line) + ": " + place_in_words(one) + " " +
                    missing(one) + "\n";
    return text;
}

std::string as_text(const script::TestResult& result, bool coverage) {
    std::string text = result.file + "\n";
    for (const auto& problem : result.problems) text += "  FAIL  " + problem + "\n";
    for (const auto& one : result.cases) {
        text += (one.failure.empty() ? "  ok    " : "  FAIL  ") + one.name + "\n";
        if (one.failure.empty()) continue;
        text += "        " + one.failure + "\n";
        for (const auto& line : one.logged) text += "        script-log " + line + "\n";
    }
    return coverage && result.measured ? text + coverage_text(result) : text;
}

json::object as_json(const script::TestResult& result) {
    json::array cases, branches;
    for (const auto& one : result.cases)
        cases.push_back(json::object{{"name", one.name},
                                     {"line", one.line},
                                     {"passed", one.failure.empty()},
                                     {"failure", one.failure},
                                     {"logged", json::array(one.logged.begin(), one.logged.end())}});
    for (const auto& one : result.branches)
        branches.push_back(json::object{{"what", one.what},
                                        {"line", one.line},
                                        {"column", one.column},
                                        {"true", one.taken},
                                        {"false", one.not_taken}});
    json::object shown{{"file", result.file},
                       {"script", result.script},
                       {"passed", result.passed()},
                       {"problems", json::array(result.problems.begin(), result.problems.end())},
                       {"cases", cases}};
    if (!result.measured) return shown;
    Totals totals;
    totals.add(result);
    shown["coverage"] = json::object{{"percent", totals.percent()}, {"branches", branches}};
    return shown;
}

int run(const Options& options, const std::vector<std::string>& tests) {
    Totals totals;
    bool good = true;
    json::array shown;
    for (const auto& test : tests) {
        const auto result = script::run_policy_test(test, options.wishes);
        good &= result.passed();
        totals.add(result);
        if (options.json) shown.push_back(as_json(result));
        else print(as_text(result, options.show_coverage));
    }
    const bool enough = !options.least || totals.percent() >= *options.least;
    if (options.json) {
        json::object whole{
            {"passed", totals.passed}, {"failed", totals.failed}, {"good", good && enough}, {"files", shown}};
        if (options.wishes.coverage) whole["percent"] = totals.percent();
        print(json::serialize(whole) + "\n");
    } else {
        print(std::to_string(totals.passed) + " of " + std::to_string(totals.passed + totals.failed) + " cases passed");
        if (options.wishes.coverage) print(", " + std::to_string(totals.percent()) + " % of branches taken");
        print("\n");
    }
    if (!enough)
        print("postern: " + std::to_string(totals.percent()) + " % of branches taken, " +
                  std::to_string(*options.least) + " % are wanted\n",
              stderr);
    return good && enough ? 0 : 1;
}

}  // namespace

int policy_test(const std::optional<std::string>& configuration, const std::vector<std::string>& words) {
    if (words.size() < 2 || words[1] != "test" || words.back() == "--help")
        return print(usage, words.back() == "--help" ? stdout : stderr), words.back() == "--help" ? 0 : exit_usage;
    Options options;
    for (std::size_t i = 2; i < words.size(); ++i) {
        if (!words[i].starts_with("-")) {
            options.places.push_back(words[i]);
            continue;
        }
        if (const auto why = read_option(options, words, i); !why.empty()) return print(usage, stderr), refuse(why);
    }
    int status = 0;
    if (options.places.empty()) options.places = configured(configuration, status);
    if (status) return status;
    std::vector<std::string> tests;
    for (const auto& place : options.places)
        if (const auto why = find_tests(place, tests); !why.empty()) return refuse(why);
    if (tests.size() > most_tests) return refuse("more than " + std::to_string(most_tests) + " tests");
    if (!tests.empty()) return run(options, tests);
    std::string where;
    for (const auto& place : options.places) where += (where.empty() ? "" : ", ") + place;
    print("postern: no test (NAME_test.lua) in " + where + "\n", stderr);
    return 1;
}

}  // namespace postern::cli
