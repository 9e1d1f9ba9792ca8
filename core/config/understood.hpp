// The configuration as it is understood: every key of the table (keys.hpp) and of the plugins' own with its value,
// where that came from, and whether it differs from the default. A flat list in the table's order, for `postern config
// show` and `config diff`. Values that are secrets are not in it.
#pragma once

#include <config/settings.hpp>

namespace postern::config {

struct Understood {
    std::vector<std::string> blocks;  // in which it stands: "send_connector Internet", "retry"
    std::string key;                  // empty: the block itself, which may hold nothing
    std::string value;                // of an entry of a list what stands behind it (a cost), else the key's value
    bool entry = false;               // `key` is an entry of the list that is the last of `blocks`
    bool changed = false;             // differs from the default
    bool restart = false;             // a SIGHUP does not take it up
    std::string file;                 // empty: the default
    std::uint32_t line = 0;

    // What is held against one another: "send_connector Internet.retry.quick".
    std::string path() const;
};

using PluginKeys = std::function<std::vector<KeySpec>(const std::string& plugin)>;
std::vector<Understood> understood(const SettingsNode& tree, const PluginKeys& plugin_keys);

// As INFO text that loads again, each value with its place behind it.
std::string info_text(const std::vector<Understood>& all);

struct Difference {
    const Understood* before = nullptr;  // null: it was not there
    const Understood* after = nullptr;   // null: it is gone
};
std::vector<Difference> differences(const std::vector<Understood>& before, const std::vector<Understood>& after);

}  // namespace postern::config
