// Reads the scripts folder: what may be read, then what it says. Sandboxes run it; this file knows files.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mail/address.hpp>
#include <policy/events.hpp>
#include <script/loaded_set.hpp>
#include <script/spelling.hpp>

namespace postern::script {

namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t longest_file = 256u << 10;  // octets
constexpr std::size_t most_files = 1000;             // they share one state's memory

class Loader {
public:
    explicit Loader(std::vector<config::ConfigProblem>& problems) : problems_(problems) {
        scratch_ = std::make_unique<Sandbox>(limits_, nothing_);
    }

    void folder(const fs::path& path, bool of_partners);
    std::shared_ptr<LoadedSet> set = std::make_shared<LoadedSet>();

private:
    void file(const fs::path& path, bool of_partner);
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

void Loader::folder(const fs::path& path, bool of_partners) {
    if (!trusted(path, true)) return;
    std::vector<fs::path> found;
    std::error_code wrong;
    for (fs::directory_iterator i(path, wrong), end; !wrong && i != end; i.increment(wrong)) {
        if (i->path().filename().string().ends_with(".lua")) found.push_back(i->path());
        if (set->scripts.size() + found.size() > most_files)
            return problem(path, 0, "more than " + std::to_string(most_files) + " scripts");
    }
    if (wrong) return problem(path, 0, "cannot be read: " + wrong.message());
    std::sort(found.begin(), found.end());
    for (const auto& one : found) file(one, of_partners);
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
    std::string source(longest_file + 1, '\0');
    std::ifstream stream(path, std::ios::binary);
    stream.read(source.data(), static_cast<std::streamsize>(source.size()));
    if (!stream.is_open() || stream.bad()) return problem(path, 0, "cannot be read");
    source.resize(static_cast<std::size_t>(stream.gcount()));
    if (source.size() > longest_file) return problem(path, 0, "is longer than 256 KiB");
    Sandbox::Fault wrong;
    std::vector<Sandbox::Fault> faults;
    auto& scripts = set->scripts;
    if (scratch_->compile(source, script.code, wrong)) {
        faults = scratch_->add(script, scripts.size());
        for (const auto& row : policy::event_rows())
            if (scratch_->listens(scripts.size(), row.event)) set->events.insert(row.event);
        // Those that running it has named already are left out.
        for (auto& typo : misspelt(source, known_))
            if (std::none_of(faults.begin(), faults.end(), [&](const Sandbox::Fault& one) {
                    return one.line == typo.line && one.cause == typo.cause;
                }))
                faults.push_back(std::move(typo));
    } else {
        faults.push_back(wrong);
    }
    for (const auto& fault : faults) {
        problem(path, fault.line, fault.cause);
        // What follows is looked at in a fresh state: every file's faults, not those that one file caused in others.
        if (fault.exceeded) scratch_ = std::make_unique<Sandbox>(limits_, nothing_);
    }
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

std::shared_ptr<const ScriptSet> ScriptSet::load(const std::string& folder,
                                                 std::vector<config::ConfigProblem>& problems) {
    const auto before = problems.size();
    Loader loader(problems);
    loader.folder(folder, false);
    std::error_code ignored;
    const auto partners = fs::path(folder) / "partners";
    if (fs::symlink_status(partners, ignored).type() != fs::file_type::not_found) loader.folder(partners, true);
    return problems.size() == before ? loader.set : nullptr;
}

}  // namespace postern::script
