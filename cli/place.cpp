#include <algorithm>
#include <cli/place.hpp>
#include <filesystem>

namespace postern::cli {

namespace fs = std::filesystem;

namespace {

std::string plugin_folder(const std::string& built_for) {
    std::error_code error;
    const auto program = fs::read_symlink("/proc/self/exe", error).parent_path();
    if (error) return built_for;
    for (const auto* beside : {"plugins", "lib/postern/plugins"})
        if (const auto folder = program.parent_path() / beside; fs::is_directory(folder, error)) return folder;
    return built_for;
}

std::vector<config::PluginEntry> all_plugins(const std::string& folder) {
    std::vector<config::PluginEntry> all;
    std::error_code error;
    for (fs::directory_iterator one(folder, error), end; !error && one != end; one.increment(error))
        if (one->path().extension() == ".so") all.push_back({one->path().stem(), {}});
    std::ranges::sort(all, {}, &config::PluginEntry::name);
    for (auto& one : all) one.settings.key = one.name;
    return all;
}

}  // namespace

Place find_place(const std::optional<std::string>& named_file) {
    Place place;
    std::error_code error;
    if (!named_file && fs::status(default_file, error).type() == fs::file_type::not_found) {
        place.settings.state.clear();
        place.settings.plugin_folder = plugin_folder(place.settings.plugin_folder);
        place.settings.plugins = all_plugins(place.settings.plugin_folder);
        return place;
    }
    place.file = named_file.value_or(default_file);
    auto loaded = config::load(place.file);
    place.problems = std::move(loaded.problems);
    if (loaded.settings) place.settings = *loaded.settings;
    else place.usable = false;
    return place;
}

}  // namespace postern::cli
