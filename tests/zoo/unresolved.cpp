#include <postern/plugin.hpp>

void defined_nowhere();

struct Unresolved : postern::Plugin {
    void start(postern::Registrar&) override { defined_nowhere(); }
};
POSTERN_PLUGIN("unresolved", "1");
POSTERN_ENTRY(Unresolved)
