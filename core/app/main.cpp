// posternd: see daemon.hpp for what it is made of.
#include <app/daemon.hpp>
#include <base/counters.hpp>
#include <base/messages.hpp>
#include <config/keys.hpp>
#include <cstdio>
#include <cstring>
#include <policy/events.hpp>

int main(int argc, char** argv) {
    postern::app::DaemonOptions options{"/etc/postern/postern.conf", false};
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            options.config_file = argv[++i];
        } else if (std::strcmp(argv[i], "-v") == 0) {
            options.verbose = true;
        } else if (std::strcmp(argv[i], "--print-reference") == 0) {
            std::fputs(postern::config::reference_page().c_str(), stdout);
            return 0;
        } else if (std::strcmp(argv[i], "--print-messages") == 0) {
            std::fputs(postern::message_page().c_str(), stdout);
            return 0;
        } else if (std::strcmp(argv[i], "--print-events") == 0) {
            std::fputs(postern::policy::events_page().c_str(), stdout);
            return 0;
        } else if (std::strcmp(argv[i], "--print-counters") == 0) {
            std::fputs(postern::counter_page().c_str(), stdout);
            return 0;
        } else {
            std::fputs(
                "usage: posternd [-c FILE] [-v] [--print-reference | --print-messages | --print-counters |\n"
                "                --print-events]\n",
                stderr);
            return 64;
        }
    }
    return postern::app::run_daemon(options);
}
