// The inside of load(): one object that walks the tree into typed settings and gathers problems; one file a block kind.
#pragma once

#include <config/keys.hpp>
#include <config/settings.hpp>
#include <config/values.hpp>

namespace postern::config {

class Loader {
public:
    Loader(Settings& settings, std::vector<ConfigProblem>& problems) : settings_(settings), problems_(problems) {}
    void walk(const SettingsNode& top);
    void cross_check();

private:
    void problem(const SettingsNode& node, std::string text);
    void warn(const SettingsNode& node, std::string text);
    void check_keys(const SettingsNode& block, std::string_view where);
    void check_list(const SettingsNode& list);
    void check_value(const SettingsNode& node, const Key& key);
    const SettingsNode* named(const SettingsNode& node);

    template <class T, class Parse>
    void take(const SettingsNode& block, std::string_view key, T& into, Parse parse, const char* expected);
    void text(const SettingsNode& block, std::string_view key, std::string& into);
    void choice(const SettingsNode& block, std::string_view key, std::initializer_list<std::string_view> values,
                std::size_t& into);
    void readable(const SettingsNode& node, const std::string& file);
    void trust_file(const SettingsNode& node, const std::string& file, std::vector<std::string>& into);
    void ranges(const SettingsNode& block, std::string_view key, std::vector<Range>& into);
    std::string entry(const SettingsNode& node, std::string_view text);

    void resolver(const SettingsNode& node);
    void scripts(const SettingsNode& node);
    void secure_list(const SettingsNode& node, policy::SecureList& list);
    void certificate(const SettingsNode& node);
    void roots(const SettingsNode& node);
    void partner(const SettingsNode& node);
    void partner_policy(const SettingsNode& node, policy::Partner& partner);
    void exception(const SettingsNode& node, policy::Partner& partner);
    void trusted_server(const SettingsNode& node);
    void certificate_of(const SettingsNode& node, std::string& certificate);
    void receive_connector(const SettingsNode& node);
    void extensions(const SettingsNode& node, ReceiveConnector& connector);
    void send_connector(const SettingsNode& node);
    void credentials(const SettingsNode& node, SendConnector& connector);
    void accepted_domain(const SettingsNode& node);
    void recipients(const SettingsNode& node, AcceptedDomain& domain);
    void check_names();
    void check_references();
    void check_listed();

    Settings& settings_;
    std::vector<ConfigProblem>& problems_;
    const SettingsNode* top_ = nullptr;
};

template <class T, class Parse>
void Loader::take(const SettingsNode& block, std::string_view key, T& into, Parse parse, const char* expected) {
    const auto* node = block.find(key);
    if (!node || node->value.empty()) return;
    const auto value = parse(node->value);
    if (value) into = static_cast<T>(*value);
    else problem(*node, "\"" + node->value + "\" is not " + expected);
}

}  // namespace postern::config
