#include <algorithm>
#include <fstream>
#include <logging/line.hpp>
#include <logging/log_file.hpp>
#include <logging/show.hpp>
#include <map>

namespace postern::logging {
namespace {

enum Column : std::size_t {
    time_of = 0,
    connector_of = 1,
    session_of = 2,
    remote_of = 5,
    event_of = 6,
    data_of = 7,
    context_of = 8
};
constexpr std::size_t most_listed = 1000;

struct Conversation {
    std::string first_time, connector, remote, direction;
    std::string text;
};
using Conversations = std::vector<std::pair<std::string, Conversation>>;  // by session, in order of their first line

// Event and data joined, a comma, the context; with empty data the context alone. A connection that only opens or
// closes has nothing to say.
std::string shown(const std::vector<std::string>& line) {
    const auto &data = line[data_of], &context = line[context_of];
    if (data.empty() && context.empty()) return {};
    return line[event_of] + data + (data.empty() || context.empty() ? "" : ", ") + context + "\n";
}

void read_folder(const std::string& folder, const std::string& direction, const Wanted& wanted, Conversations& into) {
    std::map<std::string, std::size_t> places;
    for (const auto& path : log_files(folder + "/" + direction)) {
        std::ifstream file(path, std::ios::binary);
        for (std::string text; std::getline(file, text);) {
            const auto line = columns_of(text);
            if (!line) continue;
            const auto& session = (*line)[session_of];
            if (!wanted.connector.empty() && (*line)[connector_of] != wanted.connector) continue;
            if (!wanted.session.empty() && session != wanted.session) continue;
            const auto [place, fresh] = places.try_emplace(session, into.size());
            if (fresh)
                into.push_back({session, {(*line)[time_of], (*line)[connector_of], (*line)[remote_of], direction, {}}});
            into[place->second].second.text += shown(*line);
        }
    }
}

Conversations read_all(const std::string& folder, const Wanted& wanted) {
    Conversations all;
    if (wanted.receive) read_folder(folder, "receive", wanted, all);
    if (wanted.send) read_folder(folder, "send", wanted, all);
    std::ranges::stable_sort(all, {}, [](const auto& one) { return one.second.first_time; });
    return all;
}

std::string listing(const std::string& folder, const Wanted& wanted) {
    const auto all = read_all(folder, wanted);
    std::string text;
    const auto skip = all.size() > most_listed ? all.size() - most_listed : 0;
    for (std::size_t i = skip; i < all.size(); ++i) {
        const auto& [session, one] = all[i];
        text +=
            one.first_time + "  " + session + "  " + one.direction + "  " + one.connector + "  " + one.remote + "\n";
    }
    return text.empty() ? "no conversation in " + folder + "\n" : text;
}

constexpr std::string_view usage =
    "usage: log show [SESSION] [--connector NAME] [--receive | --send] | log list [--connector NAME]\n";

std::optional<Wanted> parse(const std::vector<std::string>& words) {
    Wanted wanted;
    for (std::size_t i = 2; i < words.size(); ++i) {
        if (words[i] == "--connector" && i + 1 < words.size()) wanted.connector = words[++i];
        else if (words[i] == "--receive") wanted.send = false;
        else if (words[i] == "--send") wanted.receive = false;
        else if (!words[i].starts_with('-') && wanted.session.empty()) wanted.session = words[i];
        else return std::nullopt;
    }
    if (!wanted.receive && !wanted.send) return std::nullopt;
    return wanted;
}

}  // namespace

Outcome<std::string> conversation(const std::string& folder, const Wanted& wanted) {
    auto all = read_all(folder, wanted);
    if (all.empty())
        return Failure{"log", (wanted.session.empty() ? "no conversation" : "no conversation " + wanted.session) +
                                  " in " + folder + "; is protocol_logging_level verbose on that connector?"};
    return std::move(all.back().second.text);
}

std::vector<VerbSpec> LogVerbs::verbs() const {
    return {{"log show", "log show [SESSION] [--connector NAME] [--receive | --send]",
             "print a conversation of the protocol log, the last one if none is named", VerbRuns::here},
            {"log list", "log list [--connector NAME] [--receive | --send]", "list the conversations", VerbRuns::here}};
}

Pending<VerbResult> LogVerbs::run(std::vector<std::string> words) {
    const bool list = words.size() >= 2 && words[1] == "list", show = words.size() >= 2 && words[1] == "show";
    const auto wanted = parse(words);
    if ((!list && !show) || !wanted) return VerbResult{2, {}, std::string(usage)};
    const auto folder = read(host_.settings()).folder;
    if (list) return VerbResult{0, listing(folder, *wanted), {}};
    auto text = conversation(folder, *wanted);
    if (!text) return VerbResult{1, {}, text.failure.text + "\n"};
    return VerbResult{0, std::move(*text), {}};
}

}  // namespace postern::logging
