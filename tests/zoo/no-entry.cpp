#include <postern/plugin.hpp>
POSTERN_PLUGIN("no-entry", "1");
