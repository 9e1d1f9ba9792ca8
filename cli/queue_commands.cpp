#include <app/control.hpp>
#include <app/log_sink.hpp>
#include <app/privileges.hpp>
#include <app/queue_command.hpp>
#include <cli/queue_commands.hpp>
#include <cli/terminal.hpp>
#include <net/outbound.hpp>
#include <queue/spool_folder.hpp>

namespace postern::cli {

namespace {

int print_result(const VerbResult& result) {
    print(result.out);
    std::fflush(stdout);
    print(result.err, stderr);
    return result.status;
}

int failed(const Problem& problem) {
    print("postern: " + problem.text + "\n", stderr);
    return exit_temporary;
}

int convert(const Place& place, const std::vector<std::string>& words) {
    if (words.size() != 3 || (words[2] != "log" && words[2] != "files"))
        return print("usage: postern queue convert log|files\n", stderr), exit_usage;
    auto moved = queue::convert_spool(place.settings.spool, words[2]);
    if (!moved) return failed(moved.error());
    print(std::to_string(*moved) + " messages moved; " + place.settings.spool + " is of the format " + words[2] +
          " now, and so must spool_format be\n");
    return 0;
}

// Nobody else has it: what it holds is read as at a start, and nothing is delivered.
int by_ourselves(const Place& place, const std::vector<std::string>& words) {
    auto opened = queue::open_spool(place.settings.spool, place.settings.spool_format);
    if (!opened) return failed(opened.error());
    auto log = app::make_stderr_log(Severity::error);
    Counters counters;
    net::Generation generation;
    generation.settings = std::make_shared<config::Settings>(place.settings);
    queue::Queue::Parts parts{
        **opened, *log, counters, {}, {}, place.settings.fqdn, [] { return std::chrono::system_clock::now(); }, {}, {}};
    parts.router = [&](const queue::QueuedMessage&, const queue::QueuedRecipient& one) {
        return net::route(generation, one);
    };
    parts.retry = [](const queue::Destination&) { return config::Retry{}; };
    int status = 0;
    {
        queue::Queue queue(std::move(parts));
        if (auto recovered = queue.recover(); !recovered) return failed(recovered.error());
        status = print_result(app::queue_command(queue, **opened, place.settings.log_file, words));
        opened->reset();  // its threads end before the queue does
    }
    return status;
}

}  // namespace

int queue_commands(const Place& place, const std::vector<std::string>& words) {
    if (words.size() >= 2 && words[1] == "--help") return print(app::queue_usage), 0;
    const bool converting = words.size() >= 2 && words[0] == "queue" && words[1] == "convert";
    if (!converting) {
        const auto result = app::ask_daemon(place.settings.control_socket, words);
        if (result) return print_result(*result);
        if (result.failure.token != "no-daemon")
            return print("postern: " + result.failure.text + "\n", stderr), exit_no_daemon;
    }
    if (place.file.empty())
        return print("postern: no configuration, and so no spool: use postern -c FILE\n", stderr), exit_usage;
    // What is made in the spool must be the daemon's to read.
    if (auto became = app::become(place.settings.user, {place.settings.spool}); !became) return failed(became.error());
    return converting ? convert(place, words) : by_ourselves(place, words);
}

}  // namespace postern::cli
