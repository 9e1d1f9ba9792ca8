// Built with -fgnu-unique: an inline variable with a static of its own becomes a symbol shared by all versions loaded.
#include <postern/plugin.hpp>

template <class T>
struct __attribute__((visibility("default"))) Shared {
    static inline int value = 1;
};

struct UniqueSymbol : postern::Plugin {
    void start(postern::Registrar&) override { ++Shared<int>::value; }
};
POSTERN_PLUGIN("unique-symbol", "1");
POSTERN_ENTRY(UniqueSymbol)
