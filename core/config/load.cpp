#include <unistd.h>

#include <algorithm>
#include <config/loader.hpp>
#include <config/tree.hpp>
#include <cstring>

namespace postern::config {

std::string to_text(const ConfigProblem& problem) {
    return problem.file + (problem.line ? ":" + std::to_string(problem.line) : "") + ": " +
           (problem.key.empty() ? "" : problem.key + ": ") + problem.problem;
}

void Loader::problem(const SettingsNode& node, std::string text) {
    problems_.push_back({node.file, node.line, node.key, std::move(text), false});
}
void Loader::warn(const SettingsNode& node, std::string text) {
    problems_.push_back({node.file, node.line, node.key, std::move(text), true});
}

void Loader::check_list(const SettingsNode& list) {
    if (!list.value.empty()) problem(list, "is a list: write it as a block, one entry a line");
    for (const auto& one : list.children) {
        // An address space has its cost behind it; everything else is one word.
        if (!one.value.empty() && list.key != "address_spaces" && list.key != "stub")
            problem(one, "one entry a line in " + list.key + "; what is \"" + one.value + "\"?");
        if (!one.children.empty()) problem(one, "an entry of " + list.key + " holds no block");
    }
}

void Loader::check_value(const SettingsNode& node, const Key& key) {
    if (key.kind == KeyKind::list) return check_list(node);
    if (key.kind == KeyKind::block) return;
    if (!node.children.empty()) problem(node, "takes a value, not a block");
    if (node.value.empty() && key.where != "partner") problem(node, "has no value");
}

void Loader::check_keys(const SettingsNode& block, std::string_view where) {
    std::vector<std::string_view> seen;
    for (const auto& node : block.children) {
        const auto* key = find_key(where, node.key);
        if (!key) {
            problem(node, "is not a key" +
                              (where.empty() ? std::string(" of the configuration") : " of " + std::string(where)) +
                              suggestion(where, node.key));
            continue;
        }
        if (!key->many && std::find(seen.begin(), seen.end(), node.key) != seen.end()) problem(node, "stands twice");
        seen.push_back(node.key);
        check_value(node, *key);
    }
}

void Loader::readable(const SettingsNode& node, const std::string& file) {
    if (file.empty()) return;
    if (::access(file.c_str(), R_OK) != 0)
        problem(node, "the file " + file + " cannot be read: " + std::strerror(errno));
}

void Loader::trust_file(const SettingsNode& node, const std::string& file, std::vector<std::string>& into) {
    if (settings_.trust_files.emplace(file, Place{node.file, node.line}).second) readable(node, file);
    into.push_back(file);
}

void Loader::text(const SettingsNode& block, std::string_view key, std::string& into) {
    if (const auto* node = block.find(key)) into = node->value;
}

void Loader::choice(const SettingsNode& block, std::string_view key, std::initializer_list<std::string_view> values,
                    std::size_t& into) {
    const auto* node = block.find(key);
    if (!node) return;
    const auto* found = std::find(values.begin(), values.end(), node->value);
    if (found != values.end()) {
        into = static_cast<std::size_t>(found - values.begin());
        return;
    }
    std::string all;
    for (const auto value : values) all += (all.empty() ? "" : ", ") + std::string(value);
    problem(*node, "\"" + node->value + "\" is none of " + all + nearest(node->value, {values.begin(), values.end()}));
}

void Loader::ranges(const SettingsNode& block, std::string_view key, std::vector<Range>& into) {
    const auto* node = block.find(key);
    if (!node) return;
    for (const auto& one : node->children) {
        if (auto range = parse_range(one.key)) into.push_back(*range);
        else problem(one, "is no address range such as 192.0.2.0/24");
    }
}

// A domain, or with a leading dot a suffix; canonical.
std::string Loader::entry(const SettingsNode& node, std::string_view text) {
    const bool suffix = text.starts_with('.');
    auto canonical = mail::canonical_domain(suffix ? text.substr(1) : text);
    if (!canonical) {
        problem(node, "\"" + std::string(text) + "\" is no domain name");
        return {};
    }
    return (suffix ? "." : "") + *canonical;
}

void Loader::walk(const SettingsNode& top) {
    top_ = &top;
    check_keys(top, "");
    text(top, "fqdn", settings_.fqdn);
    text(top, "spool", settings_.spool);
    std::size_t format = 0;
    choice(top, "spool_format", {"log", "files"}, format);
    settings_.spool_format = format == 0 ? "log" : "files";
    text(top, "log_file", settings_.log_file);
    text(top, "state", settings_.state);
    text(top, "control_socket", settings_.control_socket);
    text(top, "control_look_group", settings_.control_look_group);
    text(top, "control_change_group", settings_.control_change_group);
    text(top, "postmaster_notify", settings_.postmaster_notify);
    text(top, "user", settings_.user);
    text(top, "authserv_id", settings_.authserv_id);
    text(top, "plugin_folder", settings_.plugin_folder);
    take(top, "workers", settings_.workers, parse_number, "a number");
    take(top, "drain_time", settings_.drain_time, parse_duration, "a duration such as 30s");
    if (settings_.authserv_id.empty()) settings_.authserv_id = settings_.fqdn;
    if (settings_.fqdn.empty())
        problems_.push_back({settings_.file, 0, "fqdn", "is missing: our name on the internet", false});
    for (const auto& node : top.children) {
        if (node.key == "plugins")
            for (const auto& one : node.children) settings_.plugins.push_back({one.key, one});
        if (node.key == "scripts") scripts(node);
        if (node.key == "resolver") resolver(node);
        if (node.key == "intermediates")
            for (const auto& one : node.children) trust_file(one, one.key, settings_.intermediate_files);
        if (node.key == "tls_send_domain_secure_list") secure_list(node, settings_.send_list);
        if (node.key == "tls_receive_domain_secure_list") secure_list(node, settings_.receive_list);
        if (node.key == "certificate") certificate(node);
        if (node.key == "roots") roots(node);
        if (node.key == "partner") partner(node);
        if (node.key == "trusted_servers")
            for (const auto& one : node.children) trusted_server(one);
        if (node.key == "receive_connector") receive_connector(node);
        if (node.key == "send_connector") send_connector(node);
        if (node.key == "accepted_domain") accepted_domain(node);
    }
}

void Loader::resolver(const SettingsNode& node) {
    check_keys(node, "resolver");
    auto& into = settings_.resolver;
    std::size_t dnssec = 1;
    choice(node, "dnssec", {"off", "log", "on"}, dnssec);
    into.dnssec = static_cast<Dnssec>(dnssec);
    settings_.resolver_place = {node.file, node.line};
    if (const auto* given = node.find("dnssec")) settings_.resolver_place = {given->file, given->line};
    if (const auto* anchor = node.find("trust_anchor")) {
        into.trust_anchor = anchor->value;
        into.trust_anchor_named = true;
        settings_.resolver_place = {anchor->file, anchor->line};
    }
    if (const auto* forward = node.find("forward"))
        for (const auto& one : forward->children) {
            if (auto endpoint = parse_endpoint(one.key)) into.forward.push_back(*endpoint);
            else problem(one, "is no address:port");
        }
    if (const auto* stub = node.find("stub"))
        for (const auto& one : stub->children) {
            if (auto endpoint = parse_endpoint(one.value)) into.stub.emplace_back(one.key, *endpoint);
            else problem(one, "needs the server's address:port behind the zone");
        }
    if (const auto* insecure = node.find("insecure"))
        for (const auto& one : insecure->children) {
            const auto zone = entry(one, one.key);
            if (zone.starts_with('.')) problem(one, "is a zone with all below it: write it without the dot in front");
            else if (!zone.empty()) into.insecure.push_back(zone);
        }
}

void Loader::scripts(const SettingsNode& node) {
    check_keys(node, "scripts");
    text(node, "folder", settings_.scripts_folder);
    settings_.scripts_place = {node.file, node.line};
    const auto* hosts = node.find("http_hosts");
    if (!hosts) return;
    for (const auto& one : hosts->children) {
        const auto colon = one.key.rfind(':');
        const bool port = colon != std::string::npos && one.key.find(']', colon) == std::string::npos;
        if (one.key.find_first_of("/@ ") != std::string::npos || (port && !parse_endpoint(one.key)))
            problem(one, "is no HOST or HOST:PORT");
        std::string host;
        for (const char c : one.key) host += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        settings_.script_http_hosts.push_back(std::move(host));
    }
}

void Loader::secure_list(const SettingsNode& node, policy::SecureList& list) {
    for (const auto& one : node.children)
        if (const auto domain = entry(one, one.key); !domain.empty() && !list.add(domain))
            warn(one, "stands twice in " + node.key);
}

void Loader::certificate(const SettingsNode& node) {
    check_keys(node, "certificate");
    if (node.value.empty()) problem(node, "needs a name: certificate NAME {");
    Certificate certificate{
        node.value, std::string(node.text("chain")), std::string(node.text("key")), {node.file, node.line}};
    if (certificate.chain_file.empty() || certificate.key_file.empty()) problem(node, "needs chain and key");
    readable(node, certificate.chain_file);
    readable(node, certificate.key_file);
    settings_.certificates.push_back(std::move(certificate));
}

void Loader::roots(const SettingsNode& node) {
    check_keys(node, "roots");
    Roots roots{node.value, {}};
    if (node.value.empty() || node.value == "system") problem(node, "needs a name of its own (system is built in)");
    for (const auto& one : node.children)
        if (one.key == "file") trust_file(one, one.value, roots.files);
    if (roots.files.empty()) problem(node, "names no file");
    settings_.roots.push_back(std::move(roots));
}

void Loader::trusted_server(const SettingsNode& node) {
    check_keys(node, "trusted_server");
    TrustedServer server{node.key, {}, node.list("hosts"), false, false};
    for (const auto& one : node.children) {
        if (one.key != "sha256") continue;
        std::string hex;
        for (char c : one.value)
            if (c != ':') hex += static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c);
        if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos)
            problem(one, "is no SHA-256 in hex (64 digits)");
        server.sha256.push_back(hex);
    }
    if (server.sha256.empty()) problem(node, "needs sha256: an address alone proves nothing");
    for (const auto& role : node.list("roles")) {
        if (role == "relay") server.relay = true;
        else if (role == "marks") server.marks = true;
        else problem(node, "\"" + role + "\" is no role: relay, marks" + nearest(role, {"relay", "marks"}));
    }
    settings_.trusted_servers.push_back(std::move(server));
}

Loaded load(const std::string& file) {
    Loaded loaded;
    const auto tree = std::make_shared<const SettingsNode>(read_tree(file, loaded.problems));
    auto settings = std::make_shared<Settings>();
    settings->file = file;
    settings->tree = tree;
    Loader loader(*settings, loaded.problems);
    loader.walk(*tree);
    loader.cross_check();
    const bool fatal =
        std::any_of(loaded.problems.begin(), loaded.problems.end(), [](const auto& one) { return !one.warning; });
    loaded.plugin_folder = settings->plugin_folder;
    loaded.plugins = settings->plugins;
    if (!fatal) loaded.settings = std::move(settings);
    return loaded;
}

}  // namespace postern::config
