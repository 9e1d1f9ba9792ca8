// Registers a role, then throws: it must provide nothing.
#include <postern/plugin.hpp>

struct ThrowsAtStart : postern::Plugin, postern::NameMatcher {
    void start(postern::Registrar& registrar) override {
        registrar.provide<postern::NameMatcher>(*this, postern::Runs::inline_);
        throw 42;
    }
    postern::NameEvidence speaks_for(const postern::CertificateFacts&, std::string_view,
                                     const postern::NameRule&) override {
        return {true, "everybody", "waved through"};
    }
};
POSTERN_PLUGIN("throws-at-start", "1");
POSTERN_ENTRY(ThrowsAtStart)
