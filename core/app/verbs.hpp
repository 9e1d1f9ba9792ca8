// The commands that plugins bring: which one a line of words means. The daemon's control socket and the command line
// ask here, so that both mean the same one.
#pragma once

#include <plugins/plugin_set.hpp>
#include <string>
#include <vector>

namespace postern::app {

struct KnownVerb {
    VerbSpec spec;
    plugins::PluginSet::NamedVerbs from;
};

// Of all plugins in use, by their words. Where two plugins bring the same words the one loaded first has them.
std::vector<KnownVerb> known_verbs(const plugins::PluginSet& plugins);
// The one whose words begin the line; of several the longest. Null where there is none.
const KnownVerb* find_verb(const std::vector<KnownVerb>& known, const std::vector<std::string>& line);
// " (did you mean crl list?)", or nothing. `more`: commands that no plugin brings.
std::string verb_suggestion(const std::vector<KnownVerb>& known, std::vector<std::string> more,
                            const std::vector<std::string>& line);

}  // namespace postern::app
