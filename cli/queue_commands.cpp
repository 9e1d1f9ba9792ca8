#include <algorithm>
#include <app/control.hpp>
#include <app/log_sink.hpp>
#include <app/privileges.hpp>
#include <app/queue_command.hpp>
#include <boost/json.hpp>
#include <charconv>
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

// A list of a million is asked for in pieces: neither side holds all of it.
constexpr std::size_t piece = 4000;

std::size_t limit_of(const std::vector<std::string>& words) {
    const auto at = std::ranges::find(words, "--limit");
    std::size_t limit = 0;
    if (at == words.end() || at + 1 == words.end()) return 0;
    (void)std::from_chars((at + 1)->data(), (at + 1)->data() + (at + 1)->size(), limit);
    return limit;
}

// Prints what one answer holds; the last id in it.
std::string print_piece(const std::string& out, bool as_json, bool first) {
    std::string last;
    if (!as_json) {
        print(out);
        for (std::size_t at = 0, end = 0; at < out.size(); at = end + 1) {
            end = std::min(out.find('\n', at), out.size());
            if (out[at] != ' ') last = out.substr(at, out.find(' ', at) - at);
        }
        return last;
    }
    const auto all = boost::json::parse(out).as_array();
    for (const auto& one : all) {
        print(std::exchange(first, false) ? "[" : ",");
        print(boost::json::serialize(one));
    }
    return all.empty() ? last : std::string(all.back().at("id").as_string());
}

using Ask = std::function<Outcome<VerbResult>(const std::vector<std::string>&)>;

Outcome<VerbResult> in_pieces(const Ask& ask, std::vector<std::string> words) {
    auto left = limit_of(words);
    const bool as_json = std::ranges::find(words, "--json") != words.end();
    if (words.size() < 2 || words[1] != "list" || left <= piece) return ask(words);
    words.insert(words.end(), {"--limit", "", "--after", ""});
    for (bool first = true;; first = false) {
        words[words.size() - 3] = std::to_string(std::min(left, piece));
        auto result = ask(words);
        if (!result || (first && result->status != 0)) return result;
        words.back() = print_piece(result->out, as_json, first);
        left -= std::min(left, piece);
        // It says that there is more, and how to see it.
        const bool more = !result->err.empty() && result->status == 0;
        if (more && left > 0) continue;
        return VerbResult{0, as_json ? "]\n" : "", more ? result->err : ""};
    }
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
        const auto ask = [&](const std::vector<std::string>& asked) -> Outcome<VerbResult> {
            return app::queue_command(queue, **opened, place.settings.log_file, asked);
        };
        status = print_result(*in_pieces(ask, words));
        opened->reset();  // its threads end before the queue does
    }
    return status;
}

}  // namespace

int queue_commands(const Place& place, const std::vector<std::string>& words) {
    if (words.size() >= 2 && words[1] == "--help") return print(app::queue_usage), 0;
    const bool converting = words.size() >= 2 && words[0] == "queue" && words[1] == "convert";
    if (!converting) {
        const auto ask = [&](const std::vector<std::string>& asked) {
            return app::ask_daemon(place.settings.control_socket, asked);
        };
        const auto result = in_pieces(ask, words);
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
