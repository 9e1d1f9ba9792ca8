// However a body is made and however it comes in, it arrives as the standards say, or is refused: against a reading of
// it octet by octet that knows no pieces and no shortcuts.
#include <catch2/catch.hpp>
#include <random>
#include <smtp/client_session.hpp>
#include <unit/smtp/conversation.hpp>

using namespace postern;
using namespace postern::smtp;

namespace {

const std::string header = "Subject: x\r\n\r\n";

struct Expected {
    std::string body;
    bool faulty = false;
    std::size_t end = std::string::npos;  // behind the dot line; npos: there is none
};

// RFC 5321 4.5.2, 2.3.8: lines end with CRLF alone, and only a dot between two of them ends the data.
Expected reading(std::string_view raw, bool dots) {
    Expected expected;
    bool after_crlf = true;
    for (std::size_t from = 0; from < raw.size();) {
        const auto lf = raw.find('\n', from);
        if (lf == std::string_view::npos) break;
        auto line = raw.substr(from, lf - from);
        from = lf + 1;
        const bool crlf = line.ends_with('\r');
        if (crlf) line.remove_suffix(1);
        if (dots && crlf && after_crlf && line == ".") {
            expected.end = from;
            break;
        }
        if (dots && line.starts_with('.')) line.remove_prefix(1);
        expected.faulty |=
            !crlf || line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos;
        expected.body.append(line).append("\r\n");
        after_crlf = crlf;
    }
    return expected;
}

class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    std::size_t below(std::size_t limit) { return engine_() % limit; }
    // Mostly sound lines, so that what follows them is met in all places; some of them long enough to fill a piece.
    std::string body() {
        std::string text;
        const bool sound = below(3) != 0;
        for (auto left = below(60); left > 0; --left) switch (below(sound ? 6 : 12)) {
                case 0:
                    text += ".";
                    break;
                case 1:
                    text += "line \xe9 of text\r\n";
                    break;
                case 2:
                    text += "\r\n";
                    break;
                case 3:
                    text += ".\r\n";
                    break;
                case 4:
                    text += std::string(below(40) == 0 ? 30000 : below(90), 'a') + "\r\n";
                    break;
                case 5:
                    text += "..\r\n";
                    break;
                case 6:
                    text += "\n";
                    break;
                case 7:
                    text += "\r";
                    break;
                case 8:
                    text += std::string(1, '\0');
                    break;
                case 9:
                    text += "\n.\r\n";
                    break;
                case 10:
                    text += "\r\n.\n";
                    break;
                default:
                    text += "\r.\r\n";
            }
        return text;
    }

private:
    std::mt19937 engine_;
};

std::string say_in_parts(smtp::Script& script, std::string_view text, Random& random) {
    std::string said;
    while (!text.empty()) {
        const auto count = std::min(text.size(), 1 + random.below(random.below(2) == 0 ? 8 : 20000));
        said += script.say(text.substr(0, count));
        text.remove_prefix(count);
    }
    return said;
}

void open_transaction(smtp::Script& script) {
    script.say("EHLO client.example.org\r\n");
    script.say("MAIL FROM:<a@example.org>\r\n");
    script.say("RCPT TO:<b@contoso.com>\r\n");
}

void check(const smtp::Script& script, const Expected& expected, const std::string& said, unsigned seed) {
    INFO("seed " << seed);
    if (expected.faulty) {
        REQUIRE(said.starts_with("550 5.6.0"));
        REQUIRE(script.committed.empty());
        return;
    }
    REQUIRE(said.starts_with("250 "));
    REQUIRE(script.committed.size() == 1);
    REQUIRE(script.committed.front() == header + expected.body);
}

}  // namespace

TEST_CASE("DATA in whatever parts is what an octet by octet reading makes of it", "[server]") {
    for (unsigned seed = 0; seed < 4000; ++seed) {
        Random random(seed);
        auto raw = random.body() + "\r\n.\r\n";
        const auto expected = reading(raw, true);
        REQUIRE(expected.end != std::string::npos);
        raw.resize(expected.end);
        smtp::Script script;
        open_transaction(script);
        script.say("DATA\r\n");
        const auto said = say_in_parts(script, header + raw, random);
        check(script, expected, said, seed);
    }
}

TEST_CASE("BDAT in whatever chunks and parts is, too", "[server]") {
    for (unsigned seed = 0; seed < 2000; ++seed) {
        Random random(seed);
        const auto raw = header + random.body() + "end\r\n";
        const auto expected = reading(std::string_view(raw).substr(header.size()), false);
        smtp::Script script;
        open_transaction(script);
        std::string said;
        for (std::string_view rest(raw); !rest.empty();) {
            const auto count = std::min(rest.size(), 1 + random.below(30000));
            const bool last = count == rest.size();
            script.say("BDAT " + std::to_string(count) + (last ? " LAST\r\n" : "\r\n"));
            said = say_in_parts(script, rest.substr(0, count), random);
            rest.remove_prefix(count);
        }
        check(script, expected, said, seed);
    }
}

TEST_CASE("dots are stuffed wherever a piece ends", "[client]") {
    for (unsigned seed = 0; seed < 2000; ++seed) {
        Random random(seed);
        const auto body = random.body() + "end\r\n";
        ClientSettings settings;
        settings.fqdn = "mail1.contoso.com";
        ClientSession session(settings);
        std::string stuffed;
        const auto hear = [&](std::string_view reply) {
            session.feed(reply);
            for (auto what = session.next(); what == ClientDo::ready; what = session.next())
                session.begin({"a@contoso.com", {{"b@example.org", {}, {}}}, 20});
            stuffed = session.take_output();
        };
        for (const auto* reply : {"220 hi\r\n", "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"}) hear(reply);
        REQUIRE(session.next() == ClientDo::body);
        for (std::string_view rest(body); !rest.empty();) {
            const auto count = std::min(rest.size(), random.below(4) == 0 ? std::size_t{1} : 1 + random.below(200));
            session.body_piece(rest.substr(0, count), count == rest.size());
            rest.remove_prefix(count);
        }
        stuffed += session.take_output();
        std::string expected;
        for (std::size_t i = 0; i < body.size(); ++i) {
            if (body[i] == '.' && (i == 0 || body[i - 1] == '\n')) expected += '.';
            expected += body[i];
        }
        INFO("seed " << seed);
        REQUIRE(stuffed == expected + ".\r\n");
    }
}
