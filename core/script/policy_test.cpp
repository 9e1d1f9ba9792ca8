#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mail/address.hpp>
#include <script/loaded_set.hpp>
#include <script/policy_test.hpp>
#include <script/sandbox.hpp>
#include <script/test_library.hpp>

namespace postern::script {

namespace {

namespace fs = std::filesystem;
constexpr std::size_t longest_file = 1u << 20;
// Probes cost instructions, time and memory that the script does not spend in a daemon.
constexpr Limits probed_limits{.memory = 32u << 20, .instructions = 40'000'000, .wall = Milliseconds(400)};

std::optional<std::string> text_of(const std::string& path) {
    std::string text(longest_file + 1, '\0');
    std::ifstream stream(path, std::ios::binary);
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!stream.is_open() || stream.bad()) return std::nullopt;
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text.size() > longest_file ? std::nullopt : std::optional(std::move(text));
}

// partners/DOMAIN.lua, and elsewhere what is named by a domain with a dot in it: examples/woodgrovebank.com.lua.
bool of_partner(const fs::path& script) {
    if (script.parent_path().filename() == "partners") return true;
    const auto stem = script.stem().string();
    return stem.find('.') != std::string::npos && mail::canonical_domain(stem.substr(stem.starts_with('.')));
}

// What the test says of that look-up; the first one of which it says nothing is noted.
Found found_in(const Fake& fake, const Lookup& wanted, std::string& forgotten) {
    const auto found = fake.lookups.find({wanted.type, wanted.name});
    if (found != fake.lookups.end()) return found->second;
    const auto kind = wanted.kind == LookupKind::http ? std::string("http") : "dns." + wanted.type;
    if (forgotten.empty()) forgotten = "lookups." + kind + "[\"" + wanted.name + "\"]";
    return {{}, "not-faked", "the test says nothing of it"};
}

class Run {
public:
    Run(TestResult& result, const TestWishes& wishes) : result_(result), wishes_(wishes) {}
    void all();

private:
    bool prepare();
    bool probed();
    CaseResult one(std::size_t which, const std::shared_ptr<const LoadedSet>& set, Limits limits) const;
    void problem(std::string text) { result_.problems.push_back(std::move(text)); }
    std::string at(const LuaState::Fault& fault) const { return to_text({result_.file, {}, {}}, fault); }

    TestResult& result_;
    const TestWishes& wishes_;
    std::shared_ptr<LoadedSet> set_;
    std::string source_;
    std::vector<TestCase::Named> cases_;
};

bool Run::prepare() {
    const fs::path file(result_.file);
    const auto name = tested_by(file.filename().string());
    result_.script = (file.parent_path() / name).string();
    auto source = text_of(result_.file);
    if (!source) return problem(result_.file + ": cannot be read, or is longer than 1 MiB"), false;
    source_ = std::move(*source);
    std::vector<config::ConfigProblem> faults;
    set_ = load_one(result_.script, of_partner(result_.script), faults);
    for (const auto& fault : faults) problem(config::to_text(fault));
    TestCase first;
    if (const auto fault = first.load(source_)) problem(at(*fault));
    else if (first.cases().empty()) problem(result_.file + ": holds no test.case");
    cases_ = first.cases();
    return result_.problems.empty();
}

CaseResult Run::one(std::size_t which, const std::shared_ptr<const LoadedSet>& set, Limits limits) const {
    CaseResult result{cases_[which].name, cases_[which].line, {}, {}};
    const FakeLists* lists = nullptr;  // of the question under way
    ScriptHostParts parts;
    parts.log = [&](Severity, std::string_view, std::string_view text) { result.logged.emplace_back(text); };
    parts.listed = [&](std::string_view list, std::string_view domain) {
        return (list == "send" ? lists->send : lists->receive).entry_for(domain);
    };
    ScriptHost host(set, parts, limits);
    ScriptUnderTest script{set->scripts.front().partner, wishes_.listed, {}};
    // A partner's script is asked because the partner is listed.
    if (!script.partner.empty()) {
        script.listed.send.add(script.partner);
        script.listed.receive.add(script.partner);
    }
    script.ask = [&](const Fake& fake, std::string& forgotten) {
        lists = &fake.lists;
        const auto question = fake.question();
        auto call = fake.timer ? host.tick(set->timers().at(*fake.timer), question) : host.ask(question);
        while (!call.step()) call.found(found_in(fake, call.wanted(), forgotten));
        return call.take();
    };
    script.timers = set->timers().size();
    TestCase test;
    auto fault = test.load(source_);
    if (!fault) fault = test.run(which, script);
    if (fault) result.failure = at(*fault);
    return result;
}

// The script with its probes in place of it.
bool Run::probed() {
    const auto source = text_of(result_.script);
    auto made = source ? with_probes(*source) : std::nullopt;
    if (!made) return false;
    ScriptHostParts nothing;
    Sandbox scratch(probed_limits, nothing, set_->library);
    Sandbox::Fault fault;
    if (!scratch.compile(made->source, chunk_name, set_->scripts.front().code, fault)) return false;
    result_.branches = std::move(made->branches);
    set_->scripts.front().branches = &result_.branches;
    return true;
}

void Run::all() {
    if (!prepare()) return;
    for (std::size_t i = 0; i < cases_.size(); ++i) result_.cases.push_back(one(i, set_, {}));
    if (!wishes_.coverage) return;
    // A second run: what was judged above met the script as the daemon would.
    result_.measured = probed();
    if (!result_.measured) return problem(result_.script + ": its branches cannot be measured");
    for (std::size_t i = 0; i < cases_.size(); ++i) one(i, set_, probed_limits);
}

}  // namespace

bool TestResult::passed() const {
    return problems.empty() && std::ranges::all_of(cases, [](const auto& one) { return one.failure.empty(); });
}

TestResult run_policy_test(const std::string& file, const TestWishes& wishes) {
    TestResult result;
    result.file = file;
    Run(result, wishes).all();
    return result;
}

}  // namespace postern::script
