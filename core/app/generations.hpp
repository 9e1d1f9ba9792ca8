// Builds one generation of the configuration from its file: settings, scripts, certificates, trust: everything read and
// checked, or nothing taken. Also what `config check` runs.
#pragma once

#include <functional>
#include <net/services.hpp>
#include <string>
#include <vector>

namespace postern::app {

struct Built {
    std::shared_ptr<const net::Generation> generation;  // null when any problem is not a warning
    std::vector<config::ConfigProblem> problems;
};

// Loads plugins that are new into `plugins` without starting them. `finish` adds what only a daemon has, last.
Built build(const std::string& file, std::uint64_t number, plugins::PluginSet& plugins,
            const std::function<void(net::Generation&)>& finish = {});

// What the configuration trusts, scope by scope: everybody's, and each partner's that has roots of its own.
std::vector<TrustScopeFiles> scopes_of(const config::Settings& settings);
// What plugins may know of it.
ConfigurationView view_of(const config::Settings& settings);

// Warnings for what differs and is taken up by a start alone: spool, state, user and the like.
std::vector<config::ConfigProblem> not_before_start(const config::Settings& now, const config::Settings& next);

// Alarms of what listed domains depend on and is not there (roles, STARTTLS). Raised and ended as things stand.
void raise_standing_alarms(const net::Generation& generation, const plugins::PluginSet& plugins, Alarms& alarms);

}  // namespace postern::app
