// tls-mutual as a plugin: descriptor and wiring.
#include <postern/plugin.hpp>
#include <tls-mutual/engine.hpp>

namespace {

class TlsMutual : public postern::Plugin {
    void start(postern::Registrar& registrar) override {
        registrar.provide<postern::TlsEngine>(engine_, postern::Runs::inline_);
    }

    postern::tls_mutual::Engine engine_;
};

}  // namespace

POSTERN_PLUGIN("tls-mutual", "0.1");
POSTERN_ENTRY(TlsMutual)
