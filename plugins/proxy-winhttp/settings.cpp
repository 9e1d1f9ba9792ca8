#include <filesystem>
#include <proxy-winhttp/settings.hpp>

namespace postern::proxy_winhttp {

std::vector<KeySpec> keys() {
    return {
        {"https_roots", KeyKind::list, "", "PEM files of CAs that https servers are trusted by, beside the system's."}};
}

std::vector<SettingsProblem> check(const SettingsNode& node) {
    std::vector<SettingsProblem> problems;
    if (const auto* roots = node.find("https_roots"))
        for (const auto& one : roots->children) {
            std::error_code error;
            if (!std::filesystem::exists(one.key, error))
                problems.push_back({one.file, one.line, roots->key, one.key + " does not exist"});
        }
    return problems;
}

}  // namespace postern::proxy_winhttp
