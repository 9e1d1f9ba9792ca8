// Reads the scripts folder: what may be read, then what it says. Sandboxes run it; this file knows files.
// Data files and modules come first: scripts open them when they are loaded.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mail/address.hpp>
#include <policy/events.hpp>
#include <script/api.hpp>
#include <script/loaded_set.hpp>
#include <script/sandbox.hpp>
#include <script/spelling.hpp>

namespace postern::script {

namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t longest_file = 256u << 10;  // octets
constexpr std::size_t most_files = 1000;             // they share one state's memory
constexpr std::uintmax_t longest_data = 64u << 20;   // octets, all data files of one generation

class Loader {
public:
    explicit Loader(std::vector<config::ConfigProblem>& problems) : problems_(problems) {
        scratch_ = std::make_unique<Sandbox>(limits_, nothing_, set->library);
    }

    void folder(const fs::path& path, bool of_partners);
    void modules(const fs::path& path);
    void data(const fs::path& path);
    void file(const fs::path& path, bool of_partner);
    // Data and modules of the scripts folder.
    void shared(const std::string& folder);
    std::shared_ptr<LoadedSet> set = std::make_shared<LoadedSet>();

private:
    std::vector<fs::path> list(const fs::path& path, std::initializer_list<std::string_view> endings);
    std::optional<std::string> read(const fs::path& path, std::uintmax_t longest);
    bool is_test(const fs::path& path);
    void module(const fs::path& path);
    void take(const std::vector<Sandbox::Fault>& faults, const fs::path& path);
    bool trusted(const fs::path& path, bool folder);
    void problem(const fs::path& path, std::uint32_t line, std::string text) {
        problems_.push_back({path.string(), line, "script", std::move(text), false});
    }

    std::vector<config::ConfigProblem>& problems_;
    // Loading may take its time once; a busy machine must not make a good file bad.
    Limits limits_{.wall = Milliseconds(2000)};
    ScriptHostParts nothing_;
    std::unique_ptr<Sandbox> scratch_;
    const std::vector<std::string> known_ = postern_fields();
};

bool Loader::trusted(const fs::path& path, bool folder) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        problem(path, 0, "cannot be read: " + std::generic_category().message(errno));
    } else if (folder ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode)) {
        problem(path, 0, folder ? "is no folder" : "is no regular file");
    } else if (status.st_mode & S_IWOTH) {
        problem(path, 0, "is writable by others; chmod o-w it");
    } else {
        return true;
    }
    return false;
}

// Files of the folder, in order; nothing where it may not be read.
std::vector<fs::path> Loader::list(const fs::path& path, std::initializer_list<std::string_view> endings) {
    std::vector<fs::path> found;
    if (!trusted(path, true)) return found;
    std::error_code wrong;
    for (fs::directory_iterator i(path, wrong), end; !wrong && i != end; i.increment(wrong)) {
        const auto name = i->path().filename().string();
        if (std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); }) && !is_test(i->path()))
            found.push_back(i->path());
        if (set->scripts.size() + found.size() > most_files) {
            problem(path, 0, "more than " + std::to_string(most_files) + " files");
            return {};
        }
    }
    if (wrong) problem(path, 0, "cannot be read: " + wrong.message());
    std::sort(found.begin(), found.end());
    return found;
}

std::optional<std::string> Loader::read(const fs::path& path, std::uintmax_t longest) {
    std::string text;
    std::error_code wrong;
    const auto size = fs::file_size(path, wrong);
    std::ifstream stream(path, std::ios::binary);
    // One octet more than it says, so that a file that grows is not taken cut off.
    if (!wrong && size <= longest) {
        text.resize(static_cast<std::size_t>(size) + 1);
        stream.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(stream.gcount()));
    }
    if (wrong || !stream.is_open() || stream.bad()) problem(path, 0, "cannot be read");
    else if (size > longest || text.size() > size)
        problem(path, 0, "is longer than " + std::to_string(longest >> 10) + " KiB");
    else return text;
    return std::nullopt;
}

void Loader::folder(const fs::path& path, bool of_partners) {
    for (const auto& one : list(path, {".lua"})) file(one, of_partners);
}

void Loader::modules(const fs::path& path) {
    for (const auto& one : list(path, {".lua"})) module(one);
}

void Loader::data(const fs::path& path) {
    std::uintmax_t together = 0;
    for (const auto& one : list(path, {".map", ".cidr"})) {
        if (!trusted(one, false)) continue;
        const auto text = read(one, longest_data - together);
        if (!text) continue;
        together += text->size();
        read_data_file(one.string(), one.filename().string(), *text, set->library.data, problems_);
    }
}

void Loader::shared(const std::string& folder) {
    set->library.folder = folder;
    const auto there = [&](const char* name) {
        std::error_code ignored;
        return fs::symlink_status(fs::path(folder) / name, ignored).type() != fs::file_type::not_found;
    };
    if (there("data")) data(fs::path(folder) / "data");
    if (there("modules")) modules(fs::path(folder) / "modules");
}

// Compiled as a function of its globals: each script that asks for it gets an instance, of the same code.
void Loader::module(const fs::path& path) {
    if (!trusted(path, false)) return;
    const auto source = read(path, longest_file);
    if (!source) return;
    const auto name = path.stem().string();
    const auto chunk = "=@modules/" + name + ".lua";
    ScriptFile made{path.string(), {}, {}};
    Sandbox::Fault wrong;
    std::vector<Sandbox::Fault> faults;
    if (!scratch_->compile(*source, chunk.c_str(), made.code, wrong) ||
        !scratch_->compile("return function(_ENV) " + *source + "\nend", chunk.c_str(), made.code, wrong))
        faults.push_back(wrong);
    else faults = misspelt(*source, known_);
    for (auto& fault : faults) fault.file.clear();
    take(faults, path);
    set->library.modules.emplace(name, std::move(made));
}

void Loader::take(const std::vector<Sandbox::Fault>& faults, const fs::path& path) {
    for (const auto& fault : faults) {
        if (fault.file.empty()) problem(path, fault.line, fault.cause);
        else
            problem(set->library.folder + "/" + fault.file, fault.line,
                    fault.cause + " (called by " + path.string() + ")");
        // What follows is looked at in a fresh state: every file's faults, not those that one file caused in others.
        if (fault.exceeded) scratch_ = std::make_unique<Sandbox>(limits_, nothing_, set->library);
    }
}

// Passed over; but a policy that happens to be called like one must not be left out in silence.
bool Loader::is_test(const fs::path& path) {
    const auto tested = tested_by(path.filename().string());
    std::error_code ignored;
    if (!tested.empty() && !fs::exists(path.parent_path() / tested, ignored))
        problem(path, 0, "is taken for a test of " + tested + ", which is not there: rename it, or remove it");
    return !tested.empty();
}

// A partner's file is named by its entry: a canonical domain, or one with a leading dot.
std::string entry_of(const fs::path& path) {
    auto name = path.filename().string();
    name.resize(name.size() - std::string_view(".lua").size());
    const bool suffix = name.starts_with('.');
    const auto canonical = mail::canonical_domain(suffix ? name.substr(1) : name);
    return canonical ? (suffix ? "." : "") + *canonical : std::string();
}

void Loader::file(const fs::path& path, bool of_partner) {
    if (!trusted(path, false)) return;
    ScriptFile script{path.string(), {}, {}};
    if (of_partner) {
        script.partner = entry_of(path);
        const auto wanted = script.partner + ".lua";
        if (script.partner.empty())
            return problem(path, 0, "is not named by a domain: a partner's script is partners/DOMAIN.lua");
        if (path.filename() != wanted)
            return problem(path, 0, "is not named by the canonical domain: rename it to " + wanted);
    }
    const auto read_source = read(path, longest_file);
    if (!read_source) return;
    const auto& source = *read_source;
    Sandbox::Fault wrong;
    std::vector<Sandbox::Fault> faults;
    auto& scripts = set->scripts;
    if (scratch_->compile(source, chunk_name, script.code, wrong)) {
        faults = scratch_->add(script, scripts.size());
        for (const auto& row : policy::event_rows())
            if (scratch_->listens(scripts.size(), row.event)) set->events.insert(row.event);
        for (std::size_t i = 0; i < scratch_->timers(scripts.size()).size(); ++i)
            set->all_timers.push_back({scripts.size(), i, scratch_->timers(scripts.size())[i].every});
        // Those that running it has named already are left out.
        for (auto& typo : misspelt(source, known_))
            if (std::none_of(faults.begin(), faults.end(), [&](const Sandbox::Fault& one) {
                    return one.line == typo.line && one.cause == typo.cause;
                }))
                faults.push_back(std::move(typo));
    } else {
        faults.push_back(wrong);
    }
    take(faults, path);
    if (of_partner) set->by_partner.emplace(script.partner, scripts.size());
    else ++set->for_all;
    scripts.push_back(std::move(script));
}

}  // namespace

std::vector<std::string> LoadedSet::files() const {
    std::vector<std::string> paths;
    for (const auto& one : scripts) paths.push_back(one.path);
    return paths;
}

std::shared_ptr<LoadedSet> load_one(const std::string& path, bool of_partner,
                                    std::vector<config::ConfigProblem>& problems) {
    const auto before = problems.size();
    Loader loader(problems);
    // As in to_text(): a partner's script lies one folder deeper.
    auto folder = fs::path(path).parent_path();
    if (folder.filename() == "partners") folder = folder.parent_path();
    loader.shared(folder.string());
    loader.file(path, of_partner);
    return problems.size() == before ? loader.set : nullptr;
}

std::string tested_by(std::string_view file_name) {
    constexpr std::string_view ending = "_test.lua";
    if (!file_name.ends_with(ending) || file_name.size() == ending.size()) return {};
    return std::string(file_name.substr(0, file_name.size() - ending.size())) + ".lua";
}

std::shared_ptr<const ScriptSet> ScriptSet::load(const std::string& folder,
                                                 std::vector<config::ConfigProblem>& problems) {
    const auto before = problems.size();
    Loader loader(problems);
    loader.shared(folder);
    loader.folder(folder, false);
    std::error_code ignored;
    const auto partners = fs::path(folder) / "partners";
    if (fs::symlink_status(partners, ignored).type() != fs::file_type::not_found) loader.folder(partners, true);
    return problems.size() == before ? loader.set : nullptr;
}

}  // namespace postern::script
