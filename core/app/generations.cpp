#include <algorithm>
#include <app/announcements.hpp>
#include <app/generations.hpp>

namespace postern::app {

namespace {

bool fatal(const std::vector<config::ConfigProblem>& problems) {
    return std::any_of(problems.begin(), problems.end(), [](const auto& problem) { return !problem.warning; });
}

void append(std::vector<config::ConfigProblem>& all, std::vector<config::ConfigProblem> more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

void load_identities(net::Generation& generation, std::vector<config::ConfigProblem>& problems) {
    auto* engine = generation.providers->tls;
    if (!engine) return;  // an alarm, not a fault of the file: mail of others flows
    for (const auto& certificate : generation.settings->certificates) {
        auto loaded = engine->load({certificate.name, certificate.chain_file, certificate.key_file});
        if (loaded) generation.identities.emplace(certificate.name, *loaded);
        else
            problems.push_back({certificate.place.file, certificate.place.line, "certificate " + certificate.name,
                                loaded.failure.text, false});
    }
}

void load_scripts(net::Generation& generation, std::vector<config::ConfigProblem>& problems) {
    const auto& settings = *generation.settings;
    const auto before = static_cast<std::ptrdiff_t>(problems.size());
    generation.scripts = script::ScriptSet::load(settings.scripts_folder, problems);
    // What is wrong with the folder itself is told where the configuration names it.
    for (auto one = problems.begin() + before; one != problems.end(); ++one)
        if (one->file == settings.scripts_folder)
            *one = {settings.scripts_place.file, settings.scripts_place.line, "scripts",
                    settings.scripts_folder + " " + one->problem, false};
}

// The judge tells all its problems in one text, each beginning with the path of a file: each goes where that file is
// named.
void place_problems(const config::Settings& settings, const std::string& text,
                    std::vector<config::ConfigProblem>& problems) {
    std::map<std::size_t, const config::Place*> found;
    for (const auto& [file, place] : settings.trust_files)
        for (auto at = text.find(file + ": "); at != std::string::npos; at = text.find(file + ": ", at + 1))
            if (at == 0 || text.substr(at - 2, 2) == "; ") found.emplace(at, &place);
    if (!found.contains(0)) return problems.push_back({settings.file, 0, "roots", text, false});
    std::set<std::string> told;  // a file that several scopes name is told once
    for (auto one = found.begin(); one != found.end(); ++one) {
        const auto next = std::next(one);
        auto part = text.substr(one->first, next == found.end() ? std::string::npos : next->first - one->first - 2);
        if (told.insert(part).second)
            problems.push_back({one->second->file, one->second->line, "roots", std::move(part), false});
    }
}

// `on` without an anchor would validate nothing: refused. `log` does its best, and says that it is nothing.
void check_trust_anchor(const config::Settings& settings, std::vector<config::ConfigProblem>& problems) {
    const auto& resolver = settings.resolver;
    const bool on = resolver.dnssec == config::Dnssec::on;
    if (resolver.dnssec == config::Dnssec::off && !resolver.trust_anchor_named) return;
    const auto fault = net::trust_anchor_fault(resolver.trust_anchor);
    if (fault.empty()) return;
    const auto& place = settings.resolver_place;
    const std::string remedy =
        resolver.trust_anchor_named
            ? ""
            : "; install the package dns-root-data, or name a file of your own with trust_anchor";
    problems.push_back({place.file.empty() ? settings.file : place.file, place.line, "resolver",
                        fault + (on ? ": dnssec on cannot validate anything" : ": DNS answers are not validated") +
                            remedy + (on ? "" : ", or say dnssec off"),
                        !on && !resolver.trust_anchor_named});
}

void load_scopes(net::Generation& generation, std::vector<config::ConfigProblem>& problems) {
    auto* judge = generation.providers->judge;
    if (!judge) return;
    auto loaded = judge->load_scopes(scopes_of(*generation.settings));
    if (loaded) generation.scopes = *loaded;
    else place_problems(*generation.settings, loaded.failure.text, problems);
}

}  // namespace

std::vector<TrustScopeFiles> scopes_of(const config::Settings& settings) {
    const auto add = [&](TrustScopeFiles& scope, const std::string& name) {
        if (name == "system") scope.system = true;
        for (const auto& roots : settings.roots)
            if (roots.name == name) scope.files.insert(scope.files.end(), roots.files.begin(), roots.files.end());
    };
    // Roots that a partner's block names never speak for anybody else.
    const auto claimed = [&](const std::string& name) {
        return std::any_of(settings.partner_trust.begin(), settings.partner_trust.end(), [&](const auto& one) {
            return std::find(one.second.roots.begin(), one.second.roots.end(), name) != one.second.roots.end();
        });
    };
    TrustScopeFiles everybody;
    everybody.system = true;
    for (const auto& roots : settings.roots)
        if (!claimed(roots.name)) add(everybody, roots.name);
    everybody.intermediate_files = settings.intermediate_files;
    std::vector<TrustScopeFiles> scopes{everybody};
    for (const auto& [entry, trust] : settings.partner_trust) {
        if (trust.roots.empty()) continue;
        TrustScopeFiles scope;
        scope.name = entry;
        for (const auto& name : trust.roots) add(scope, name);
        scope.intermediate_files = settings.intermediate_files;
        scope.intermediate_files.insert(scope.intermediate_files.end(), trust.intermediate_files.begin(),
                                        trust.intermediate_files.end());
        scopes.push_back(std::move(scope));
    }
    return scopes;
}

Built build(const std::string& file, std::uint64_t number, plugins::PluginSet& plugins,
            const std::function<void(net::Generation&)>& finish) {
    auto loaded = config::load(file);
    Built built{nullptr, std::move(loaded.problems)};
    if (!loaded.settings) {
        append(built.problems, plugins.load(loaded.plugin_folder, loaded.plugins));
        append(built.problems, plugins.check(loaded.plugins));
        plugins.withdraw();
        return built;
    }
    auto generation = std::make_shared<net::Generation>();
    generation->number = number;
    generation->settings = loaded.settings;
    append(built.problems, plugins.load(loaded.settings->plugin_folder, loaded.settings->plugins));
    append(built.problems, plugins.check(loaded.settings->plugins));
    check_trust_anchor(*loaded.settings, built.problems);
    if (!loaded.settings->scripts_folder.empty()) load_scripts(*generation, built.problems);
    if (!fatal(built.problems)) {
        plugins.start(loaded.settings->plugins);
        generation->providers = plugins.providers(loaded.settings->plugins);
        load_identities(*generation, built.problems);
        load_scopes(*generation, built.problems);
        if (!fatal(built.problems)) validate(*generation, built.problems);
    }
    if (fatal(built.problems)) {
        plugins.withdraw();
        return built;
    }
    if (finish) finish(*generation);
    built.generation = std::move(generation);
    return built;
}

ConfigurationView view_of(const config::Settings& settings) {
    ConfigurationView view;
    view.file = settings.file;
    view.fqdn = settings.fqdn;
    for (const auto& [domain, ignored] : settings.accepted_domains) view.accepted_domains.push_back(domain);
    const auto chain_of = [&](const std::string& name) {
        const auto found = std::ranges::find(settings.certificates, name, &config::Certificate::name);
        return found == settings.certificates.end() ? std::string() : found->chain_file;
    };
    for (const auto& one : settings.receive_connectors)
        view.connectors.push_back({ConnectorKind::receive, one.name, one.fqdn, one.certificate,
                                   chain_of(one.certificate), one.auth_tls, one.domain_secure_enabled});
    for (const auto& one : settings.send_connectors)
        view.connectors.push_back({ConnectorKind::send, one.name, one.fqdn, one.certificate, chain_of(one.certificate),
                                   true, one.domain_secure_enabled});
    view.send_list.assign(settings.send_list.entries().begin(), settings.send_list.entries().end());
    view.receive_list.assign(settings.receive_list.entries().begin(), settings.receive_list.entries().end());
    view.trust.system = true;
    for (const auto& one : settings.roots)
        view.trust.files.insert(view.trust.files.end(), one.files.begin(), one.files.end());
    view.trust.intermediate_files = settings.intermediate_files;
    return view;
}

std::vector<config::ConfigProblem> not_before_start(const config::Settings& now, const config::Settings& next) {
    std::vector<config::ConfigProblem> warnings;
    const auto compare = [&](bool same, const char* key) {
        if (!same) warnings.push_back({next.file, 0, key, "changed: taken up by a restart, not by SIGHUP", true});
    };
    compare(now.spool == next.spool, "spool");
    compare(now.spool_format == next.spool_format, "spool_format");
    compare(now.state == next.state, "state");
    compare(now.user == next.user, "user");
    compare(now.workers == next.workers, "workers");
    compare(now.control_socket == next.control_socket, "control_socket");
    compare(now.control_look_group == next.control_look_group, "control_look_group");
    compare(now.control_change_group == next.control_change_group, "control_change_group");
    compare(now.resolver == next.resolver, "resolver");
    return warnings;
}

void raise_standing_alarms(const net::Generation& generation, const plugins::PluginSet& plugins, Alarms& alarms) {
    const auto& settings = *generation.settings;
    const bool listed = !settings.receive_list.empty() || !settings.send_list.empty();
    const auto stand = [&](bool wrong, std::string_view id, std::string_view subject, std::string_view text) {
        wrong ? alarms.raise(id, subject, text) : alarms.end(id, subject);
    };
    stand(listed && (!generation.providers->tls || !generation.providers->judge), "role-missing", "tls-mutual",
          "mail of listed domains is deferred: load the plugin tls-mutual");
    stand(listed && !plugins.names(), "role-missing", "name-matching",
          "mail of listed domains is deferred: load the plugin name-matching");
    bool needs_crl = false;
    for (const auto* list : {&settings.receive_list, &settings.send_list})
        needs_crl = needs_crl || std::ranges::any_of(list->entries(), [&](const std::string& entry) {
                        return settings.partner(entry).revocation != RevocationMode::off;
                    });
    stand(needs_crl && !plugins.revocation(), "role-missing", "crl",
          "mail of listed domains is deferred: load the plugin crl, or set revocation off for them");
    for (const auto* name : {"logging", "counters"}) {
        const auto all = plugins.loaded();
        const bool there = std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
        stand(!there, "role-missing", name, std::string("mail flows without it: load the plugin ") + name);
    }
    for (const auto& connector : settings.receive_connectors) {
        const bool depends = connector.auth_tls && connector.domain_secure_enabled && !settings.receive_list.empty();
        stand(depends && !(generation.providers->tls && generation.identity(connector)), "starttls-unavailable",
              connector.name,
              "STARTTLS cannot be offered although listed domains depend on it: see the connector's certificate");
    }
}

}  // namespace postern::app
