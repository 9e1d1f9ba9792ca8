#include <postern/plugin.hpp>
#include <stdexcept>

struct ThrowsAtBirth : postern::Plugin {
    ThrowsAtBirth() { throw std::runtime_error("no"); }
    void start(postern::Registrar&) override {}
};
POSTERN_PLUGIN("throws-at-birth", "1");
POSTERN_ENTRY(ThrowsAtBirth)
