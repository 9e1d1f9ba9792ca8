#include <logging/settings.hpp>
#include <postern/units.hpp>

namespace postern::logging {

std::vector<KeySpec> keys() {
    return {
        {"folder", KeyKind::path, "/var/log/postern", "Parent of receive/ and send/, where the protocol logs are."},
        {"max_size", KeyKind::size, "10M", "A file that would grow beyond this is followed by the next."},
        {"max_age", KeyKind::duration, "30d", "Older files are removed."},
        {"max_directory", KeyKind::size, "250M", "Of each folder; the oldest files go first."},
    };
}

Settings read(const SettingsNode& node) {
    Settings settings;
    settings.folder = node.text("folder", settings.folder);
    if (const auto size = parse_size(node.text("max_size"))) settings.max_size = *size;
    if (const auto size = parse_size(node.text("max_directory"))) settings.max_directory = *size;
    if (const auto age = parse_duration(node.text("max_age"))) settings.max_age = *age;
    return settings;
}

}  // namespace postern::logging
