// posternd: see daemon.hpp for what it is made of.
#include <app/daemon.hpp>
#include <base/counters.hpp>
#include <base/messages.hpp>
#include <config/keys.hpp>
#include <csignal>
#include <cstdio>
#include <policy/events.hpp>
#include <script/pages.hpp>
#include <string_view>

namespace {

// Pages that are printed from the tables in the code; tools/check holds them against docs/.
struct Page {
    const char* option;
    std::string (*text)();
};
constexpr Page pages[] = {
    {"--print-reference", postern::config::reference_page},
    {"--print-messages", postern::message_page},
    {"--print-counters", postern::counter_page},
    {"--print-events", postern::policy::events_page},
    {"--print-lua", postern::script::lua_page},
    {"--print-lua-annotations", postern::script::lua_annotations},
};

int usage() {
    std::fputs("usage: posternd [-c FILE] [-v]", stderr);
    for (const auto& page : pages) std::fprintf(stderr, "\n       posternd %s", page.option);
    std::fputs("\n", stderr);
    return 64;
}

}  // namespace

int main(int argc, char** argv) {
    postern::app::DaemonOptions options{"/etc/postern/postern.conf", false};
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "-c" && i + 1 < argc) {
            options.config_file = argv[++i];
        } else if (word == "-v") {
            options.verbose = true;
        } else {
            for (const auto& page : pages)
                if (word == page.option) return std::fputs(page.text().c_str(), stdout) < 0 ? 1 : 0;
            return usage();
        }
    }
    // A file that may not grow (LimitFSIZE) and a reader of our log that went away are errors of one call, not our end.
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);
    return postern::app::run_daemon(options);
}
