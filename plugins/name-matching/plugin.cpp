// name-matching as a plugin: descriptor and wiring.
#include <name-matching/matcher.hpp>
#include <postern/plugin.hpp>

namespace {

class NameMatching : public postern::Plugin {
    void start(postern::Registrar& registrar) override {
        registrar.provide<postern::NameMatcher>(matcher_, postern::Runs::inline_);
    }

    postern::name_matching::Matcher matcher_;
};

}  // namespace

POSTERN_PLUGIN("name-matching", "0.1");
POSTERN_ENTRY(NameMatching)
