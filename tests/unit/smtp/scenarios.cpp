// Conversations as text files that read like a session (scenarios/*.smtp): each runs whole, again octet by octet, and
// again cut off behind every octet, where nothing may be kept that was not ended.
//
//   # what it claims                       offer binary_mime        switches on, `without dsn` off
//   C: a line that the client says         C> octets, with \r \n \0 \\ and \xHH written out, no line end added
//   S: what a line of the reply begins with
//   stored: how many messages are kept in the end       body: what the last one is, written as behind C>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <unit/smtp/conversation.hpp>

using namespace postern;
using namespace postern::smtp;

namespace {

struct Turn {
    std::string said;
    std::vector<std::string> replies;
};

struct Scenario {
    ServerSettings settings = Script::make();
    std::vector<Turn> turns;
    std::size_t stored = 0;
    std::optional<std::string> body;
};

std::string octets(std::string_view text) {
    std::string raw;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            raw += text[i];
            continue;
        }
        const char what = text.at(++i);
        if (what == 'x') {
            raw += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        } else {
            raw += what == 'r' ? '\r' : what == 'n' ? '\n' : what == '0' ? '\0' : what;
        }
    }
    return raw;
}

void set(ServerSettings& settings, const std::string& name, bool on) {
    const std::pair<const char*, bool&> switches[] = {{"size", settings.size},
                                                      {"pipelining", settings.pipelining},
                                                      {"eight_bit_mime", settings.eight_bit_mime},
                                                      {"chunking", settings.chunking},
                                                      {"dsn", settings.dsn},
                                                      {"smtputf8", settings.smtputf8},
                                                      {"binary_mime", settings.binary_mime}};
    bool known = false;
    for (const auto& [key, value] : switches)
        if (name == key) {
            value = on;
            known = true;
        }
    INFO(name);
    REQUIRE(known);
}

Scenario read(const std::filesystem::path& file) {
    Scenario scenario;
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        const auto rest = line.size() > 3 ? line.substr(3) : std::string();
        if (line.starts_with("C: ") || line.starts_with("C> ")) {
            if (scenario.turns.empty() || !scenario.turns.back().replies.empty()) scenario.turns.emplace_back();
            scenario.turns.back().said += line[1] == ':' ? rest + "\r\n" : octets(rest);
        } else if (line.starts_with("S: ")) {
            scenario.turns.back().replies.push_back(rest);
        } else if (line.starts_with("offer ")) {
            set(scenario.settings, line.substr(6), true);
        } else if (line.starts_with("without ")) {
            set(scenario.settings, line.substr(8), false);
        } else if (line.starts_with("limit ")) {
            scenario.settings.limits.message_size = std::stoull(line.substr(6));
        } else if (line.starts_with("stored: ")) {
            scenario.stored = std::stoull(line.substr(8));
        } else if (line.starts_with("body: ")) {
            scenario.body = octets(line.substr(6));
        } else if (!line.empty() && line[0] != '#') {
            FAIL(file.string() + ": " + line);
        }
    }
    return scenario;
}

void check_replies(const std::string& output, const std::vector<std::string>& wanted) {
    std::size_t at = 0;
    for (const auto& one : wanted) {
        const auto end = output.find("\r\n", at);
        INFO("replies:\n" << output);
        REQUIRE(end != std::string::npos);
        CHECK_THAT(output.substr(at, end - at), Catch::StartsWith(one));
        at = end + 2;
    }
    INFO("more than was wanted: " << output.substr(at));
    CHECK(at == output.size());
}

void check_stored(const Script& script, const Scenario& scenario) {
    CHECK(script.committed.size() == scenario.stored);
    if (scenario.body && !script.committed.empty()) CHECK(script.committed.back() == *scenario.body);
}

void cut_everywhere(const Scenario& scenario) {
    std::size_t octets = 0;
    for (const auto& turn : scenario.turns) octets += turn.said.size();
    for (std::size_t cut = 0; cut < octets; ++cut) {
        Script script(scenario.settings);
        auto left = cut;
        for (const auto& turn : scenario.turns) {
            script.say(turn.said.substr(0, left));
            left -= std::min(left, turn.said.size());
        }
        script.session.peer_closed();
        script.run();
        CHECK(script.committed.size() <= scenario.stored);
    }
}

}  // namespace

TEST_CASE("every scenario is answered as it says", "[scenarios]") {
    std::size_t seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(SCENARIOS)) {
        const auto scenario = read(entry.path());
        INFO(entry.path().filename().string());
        ++seen;
        Script whole(scenario.settings);
        for (const auto& turn : scenario.turns) check_replies(whole.say(turn.said), turn.replies);
        check_stored(whole, scenario);
        Script slow(scenario.settings);
        for (const auto& turn : scenario.turns) {
            std::string output;
            for (const char c : turn.said) output += slow.say({&c, 1});
            check_replies(output, turn.replies);
        }
        check_stored(slow, scenario);
        cut_everywhere(scenario);
    }
    CHECK(seen > 5);
}
