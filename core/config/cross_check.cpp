// What no single key can say: references that must exist, and listed domains that something would let slip.
#include <libpsl.h>

#include <algorithm>
#include <config/loader.hpp>

namespace postern::config {

template <class List>
static std::vector<std::string> names_of(const List& list) {
    std::vector<std::string> names;
    for (const auto& one : list) names.push_back(one.name);
    return names;
}

static bool holds(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// The second of two blocks of one name would be hidden by the first.
void Loader::check_names() {
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (const auto& node : top_->children)
        for (const auto* kind : {"certificate", "roots", "receive_connector", "send_connector"})
            if (node.key == kind && !node.value.empty() && !seen.emplace(node.key, node.value).second)
                problem(node, "a second " + node.key + " called " + node.value);
}

void Loader::check_references() {
    const auto certificates = names_of(settings_.certificates);
    auto roots = names_of(settings_.roots);
    const auto connectors = names_of(settings_.send_connectors);
    roots.emplace_back("system");
    for (const auto& node : top_->children) {
        if (node.key == "receive_connector" || node.key == "send_connector") {
            const auto name = node.text("certificate");
            const bool digest = name.size() >= 64 && name.find_first_not_of("0123456789abcdefABCDEF:") == name.npos;
            if (!name.empty() && !digest && !holds(certificates, name))
                problem(*node.find("certificate"),
                        "no certificate is called " + std::string(name) + nearest(name, certificates));
        }
        if (node.key == "partner") {
            for (const auto& name : node.list("roots"))
                if (!holds(roots, name))
                    problem(*node.find("roots"), "no roots are called " + name + nearest(name, roots));
            const auto via = node.text("via");
            if (!via.empty() && !holds(connectors, via))
                problem(*node.find("via"),
                        "no send_connector is called " + std::string(via) + nearest(via, connectors));
            for (const auto& connector : settings_.send_connectors)
                if (!via.empty() && connector.name == via && !connector.smart_host)
                    problem(*node.find("via"), "send_connector " + connector.name + " has no smart_host");
            const auto domain = settings_.partners.find(node.value);
            if (domain != settings_.partners.end() && !settings_.send_list.has(domain->first) &&
                !settings_.receive_list.has(domain->first))
                warn(node, node.value + " stands on neither secure list: this block has no effect");
        }
        if (node.key == "accepted_domain") {
            const auto way = node.text("deliver");
            // A delivery agent is provided by the plugin deliver-NAME; without it mail waits, with an alarm.
            auto known = connectors;
            known.emplace_back("maildir");
            known.emplace_back("discard");
            for (const auto& plugin : settings_.plugins)
                if (plugin.name.starts_with("deliver-")) known.push_back(plugin.name.substr(8));
            if (!way.empty() && !holds(known, way))
                problem(*node.find("deliver"), std::string(way) +
                                                   " is neither maildir, nor the NAME of a plugin deliver-NAME, nor a "
                                                   "send_connector" +
                                                   nearest(way, known));
        }
    }
}

void Loader::check_listed() {
    const auto* suffixes = psl_builtin();
    for (const auto* list_name : {"tls_send_domain_secure_list", "tls_receive_domain_secure_list"}) {
        const auto* list = top_->find(list_name);
        if (!list) continue;
        const bool send = list->key == "tls_send_domain_secure_list";
        const auto& entries = send ? settings_.send_list : settings_.receive_list;
        for (const auto& one : list->children) {
            const auto canonical = mail::canonical_domain(one.key.starts_with('.') ? std::string_view(one.key).substr(1)
                                                                                   : std::string_view(one.key));
            if (!canonical) continue;
            if (suffixes && psl_is_public_suffix(suffixes, canonical->c_str()))
                problem(one, "is a public suffix: it would list everybody below " + *canonical);
            if (!one.key.starts_with('.') && !entries.has("." + *canonical))
                warn(one, "lists " + *canonical + " alone; add ." + *canonical + " for the domains below it");
            if (!send) continue;
            const auto* connector = settings_.send_connector_for(*canonical);
            if (!connector) {
                warn(one, "no send_connector has an address space for it");
            } else if (!connector->domain_secure_enabled) {
                problem(one, "its mail would leave by send_connector " + connector->name +
                                 ", which lacks domain_secure_enabled yes");
            } else if (connector->smart_host &&
                       (settings_.partner(entries.entry_for(*canonical)).via != connector->name ||
                        !connector->tls_domain)) {
                problem(one, "its mail would leave by the smart host of " + connector->name + ": that needs `via " +
                                 connector->name + "` in its partner block and tls_domain");
            }
        }
    }
    if (settings_.receive_list.empty()) return;
    for (const auto& connector : settings_.receive_connectors)
        if (!connector.domain_secure_enabled || !connector.auth_tls)
            problems_.push_back({connector.place.file, connector.place.line, "receive_connector",
                                 connector.name + " lacks domain_secure_enabled or auth_mechanism tls: listed domains "
                                                  "are deferred there (connector-not-secured)",
                                 true});
}

void Loader::cross_check() {
    check_names();
    check_references();
    check_listed();
}

std::vector<ConfigProblem> check_plugin_settings(const std::string& plugin, const SettingsNode& block,
                                                 const std::vector<KeySpec>& keys) {
    std::vector<ConfigProblem> problems;
    std::vector<std::string> known;
    for (const auto& key : keys) known.push_back(key.name);
    for (const auto& node : block.children) {
        const auto found =
            std::find_if(keys.begin(), keys.end(), [&](const KeySpec& key) { return key.name == node.key; });
        const auto bad = [&](std::string text) {
            problems.push_back({node.file, node.line, plugin + "." + node.key, std::move(text), false});
        };
        if (found == keys.end()) {
            bad("is not a key of the plugin " + plugin + nearest(node.key, known));
        } else if (found->kind == KeyKind::number && !parse_number(node.value)) {
            bad("\"" + node.value + "\" is not a number");
        } else if (found->kind == KeyKind::yes_no && !parse_yes_no(node.value)) {
            bad("\"" + node.value + "\" is not yes or no");
        } else if (found->kind == KeyKind::duration && !parse_duration(node.value)) {
            bad("\"" + node.value + "\" is not a duration such as 60s");
        } else if (found->kind == KeyKind::size && !parse_size(node.value)) {
            bad("\"" + node.value + "\" is not a size such as 10M");
        } else if (found->kind == KeyKind::list && !node.value.empty()) {
            bad("is a list: write it as a block, one entry a line");
        }
    }
    return problems;
}

}  // namespace postern::config
