#include <catch2/catch.hpp>
#include <unit/smtp/conversation.hpp>

using namespace postern;
using namespace postern::smtp;

namespace {

const std::string start = "EHLO a.example\r\n";
const std::string envelope = "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@contoso.com>\r\n";

void to_data(Script& script) {
    script.say(start);
    script.say(envelope);
    REQUIRE(script.say("DATA\r\n").starts_with("354"));
}

}  // namespace

TEST_CASE("a message is stored as it came, dots unstuffed", "[smtp]") {
    Script script;
    to_data(script);
    CHECK(script.say("Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n") == "250 2.6.0 queued\r\n");
    REQUIRE(script.committed.size() == 1);
    CHECK(script.committed[0] == "Subject: x\r\n\r\n.dot\r\nend\r\n");
}

TEST_CASE("the same conversation octet by octet gives the same message", "[smtp]") {
    Script script;
    script.say(start);
    for (char c : envelope) script.say({&c, 1});
    for (char c : std::string("DATA\r\n")) script.say({&c, 1});
    for (char c : std::string("Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n")) script.say({&c, 1});
    REQUIRE(script.committed.size() == 1);
    CHECK(script.committed[0] == "Subject: x\r\n\r\n.dot\r\nend\r\n");
}

TEST_CASE("a conversation cut anywhere commits nothing that was not ended", "[smtp]") {
    const auto whole = "Subject: x\r\n\r\nbody\r\n.\r\n";
    for (std::size_t cut = 0; cut < std::string(whole).size(); ++cut) {
        Script script;
        to_data(script);
        script.say(std::string(whole).substr(0, cut));
        script.session.peer_closed();
        script.run();
        CHECK(script.committed.empty());
    }
}

TEST_CASE("bare line ends are read to the true end, refused, and never end the data", "[smtp]") {
    for (const auto* body :
         {"a\n.\r\nMAIL FROM:<evil@a.example>\r\n", "a\r\n.\nb\r\n", "a\rb\r\n", "a\n.\nb\r\n", "a\r\n.\rx\r\n"}) {
        Script script;
        to_data(script);
        CHECK(script.say(std::string("Subject: x\r\n\r\n") + body + "\r\n.\r\n").starts_with("550 5.6.0"));
        CHECK(script.committed.empty());
        CHECK(script.say("NOOP\r\n") == "250 2.0.0 OK\r\n");
    }
    Script nul;
    to_data(nul);
    CHECK(nul.say(std::string("Subject: x\r\n\r\na\0b\r\n.\r\n", 22)).starts_with("550 5.6.0"));
}

TEST_CASE("commands without CRLF are refused, and the third closes", "[smtp]") {
    Script script;
    CHECK(script.say("NOOP\n").starts_with("500 5.5.2"));
    CHECK(script.say("NO\rOP\r\n").starts_with("500 5.5.2"));
    CHECK(script.say("NOOP\n").find("421 4.7.0") != std::string::npos);
    CHECK(script.closed);
}

TEST_CASE("text behind EHLO, STARTTLS and DATA ends the session", "[smtp]") {
    for (const auto* line : {"EHLO a.example\r\nNOOP\r\n", "DATA\r\nx", "STARTTLS\r\nEHLO evil.example\r\n"}) {
        Script script;
        script.say(start);
        script.say(envelope);
        const auto answer = script.say(line);
        CHECK(answer.starts_with("503 5.5.0"));
        CHECK(answer.find("421 4.7.0") != std::string::npos);
        CHECK(script.closed);
        CHECK_FALSE(script.session.in_tls());
    }
}

TEST_CASE("TLS forgets what was said in clear", "[smtp]") {
    Script script;
    script.say(start);
    script.say("MAIL FROM:<a@a.example>\r\n");
    CHECK(script.say("STARTTLS\r\n").starts_with("220"));
    CHECK(script.session.in_tls());
    CHECK(script.say("RCPT TO:<b@contoso.com>\r\n").starts_with("503 5.5.1"));
    CHECK(script.say("MAIL FROM:<a@a.example>\r\n").starts_with("503 5.5.1"));
    CHECK(script.say("EHLO a.example\r\n").find("STARTTLS") == std::string::npos);
    CHECK(script.say("STARTTLS\r\n").starts_with("503 5.5.1"));
}

TEST_CASE("each bad command has its reply", "[smtp]") {
    const std::pair<const char*, const char*> table[] = {{"WHAT\r\n", "500 5.5.2"},
                                                         {"EXPN x\r\n", "502 5.5.1"},
                                                         {"VRFY\r\n", "501 5.5.4"},
                                                         {"VRFY x\r\n", "252 2.0.0"},
                                                         {"HELO\r\n", "501 give"},
                                                         {"EHLO a b\r\n", "501 give"},
                                                         {"EHLO [300.1.1.1]\r\n", "501 give"},
                                                         {"MAIL FROM:a@a.example\r\n", "501 5.1.7"},
                                                         {"MAIL FROM:<a@a.example> SIZE=abc\r\n", "501 5.5.4"},
                                                         {"MAIL FROM:<a@a.example> SIZE=1 SIZE=1\r\n", "501 5.5.4"},
                                                         {"MAIL FROM:<a@a.example> WHAT=1\r\n", "555 5.5.4"},
                                                         {"MAIL FROM:<a@a.example> SIZE=99999999999\r\n", "552 5.3.4"},
                                                         {"MAIL FROM:<a@a.example> BODY=9BIT\r\n", "501 5.5.4"},
                                                         {"RCPT TO:<b@contoso.com>\r\n", "503 5.5.1"},
                                                         {"DATA\r\n", "503 5.5.1"},
                                                         {"STARTTLS now\r\n", "501 5.5.4"}};
    for (const auto& [command, reply] : table) {
        Script script;
        script.say(start);
        CHECK_THAT(script.say(command), Catch::StartsWith(reply));
        CHECK_FALSE(script.closed);
    }
    Script http;
    CHECK(http.say("GET / HTTP/1.1\r\n").starts_with("554 5.5.0"));
    CHECK(http.closed);
}

TEST_CASE("too many errors end the session, refusals do not", "[smtp]") {
    Script script;
    script.say(start);
    for (int i = 0; i < 9; ++i) script.say("WHAT\r\n");
    CHECK_FALSE(script.closed);
    CHECK(script.say("WHAT\r\n").find("421 4.7.0") != std::string::npos);
    Script refused;
    refused.say(start);
    refused.verdict = Verdict::reject("no");
    for (int i = 0; i < 30; ++i)
        CHECK(refused.say("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@contoso.com>\r\n").starts_with("550"));
    CHECK_FALSE(refused.closed);
}

TEST_CASE("an AUTH line has its own length and code, an endless line ends the session with its end or without",
          "[smtp]") {
    const auto line = [](const std::string& verb, std::size_t size) {
        return verb + " " + std::string(size - verb.size() - 1, 'a') + "\r\n";
    };
    const std::pair<std::string, const char*> table[] = {
        {line("NOOP", 4096), "250 2.0.0"},  {line("NOOP", 4097), "500 5.5.2"},
        {line("AUTH", 4097), "502 5.5.1"},  // read, and not offered
        {line("auth", 12288), "502 5.5.1"}, {line("AUTH", 12289), "500 5.5.6"},
        {line("AUTH", 65000), "500 5.5.6"}};
    for (const auto& [octets, reply] : table) {
        Script script;
        script.say(start);
        CHECK_THAT(script.say(octets), Catch::StartsWith(reply));
        CHECK_FALSE(script.closed);
    }
    for (const auto& octets : {line("NOOP", 70000), std::string(70000, 'a')}) {
        Script script;
        script.say(start);
        CHECK_THAT(script.say(octets), Catch::StartsWith("500 5.5.2") && Catch::Contains("421 4.7.0"));
        CHECK(script.closed);
    }
}

TEST_CASE("replies are handed out before they are many", "[smtp]") {
    Script script;
    script.say(start);
    std::string many;
    for (int i = 0; i < 2000; ++i) many += "HELP\r\n";
    script.session.feed(many);
    std::size_t most = 0, all = 0;
    for (auto what = script.session.next(); what != ServerDo::read; what = script.session.next()) {
        REQUIRE(what == ServerDo::send);
        const auto output = script.session.take_output();
        most = std::max(most, output.size());
        all += std::count(output.begin(), output.end(), '\n');
    }
    const auto last = script.session.take_output();
    CHECK(all + std::count(last.begin(), last.end(), '\n') == 2000);
    CHECK(most < 5000);
}

TEST_CASE("errors and unknown recipients are offences, refusals are none", "[smtp]") {
    Script script;
    script.say(start);
    CHECK(script.session.take_offences() == 0);
    script.say("WHAT\r\nEXPN x\r\nEHLO\r\n");
    CHECK(script.session.take_offences() == 3);
    CHECK(script.session.take_offences() == 0);
    script.verdict = Verdict::reject("no");
    script.say("MAIL FROM:<a@a.example>\r\n");
    CHECK(script.session.take_offences() == 0);
}

TEST_CASE("octets of one command are one command, however they come", "[smtp]") {
    Script script;
    script.say(start);
    const auto taken = script.session.taken();
    for (const char c : std::string_view("NOOP\r")) {
        script.say({&c, 1});
        CHECK(script.session.taken() == taken);
    }
    script.say("\n");
    CHECK(script.session.taken() == taken + 1);
}

TEST_CASE("limits on size, header, hops and lines answer at the end and keep nothing", "[smtp]") {
    auto settings = Script::make();
    settings.limits.message_size = 2000;
    settings.limits.header_size = 500;
    settings.limits.hops = 3;
    settings.limits.text_line = 1000;
    std::string hops;
    for (int i = 0; i < 4; ++i) hops += "Received: by x\r\n";
    const std::pair<std::string, const char*> table[] = {
        {"Subject: x\r\n\r\n" + std::string(990, 'a') + "\r\n" + std::string(990, 'a') + "\r\n" +
             std::string(990, 'a') + "\r\n",
         "552 5.3.4"},
        {"Subject: " + std::string(600, 'a') + "\r\n\r\n", "552 5.3.4"},
        {hops + "\r\n", "554 5.4.6"},
        {"Subject: x\r\n\r\n" + std::string(1500, 'a') + "\r\n", "550 5.6.0"}};
    for (const auto& [message, reply] : table) {
        Script script(settings);
        to_data(script);
        CHECK_THAT(script.say(message + ".\r\n"), Catch::StartsWith(reply));
        CHECK(script.committed.empty());
    }
}

TEST_CASE("a storage fault is answered at the true end", "[smtp]") {
    Script script;
    to_data(script);
    script.session.feed("Subject: x\r\n\r\n");
    REQUIRE(script.session.next() == ServerDo::header);
    script.session.storage_failed({452, "4.3.1", "full"});
    CHECK(script.say("more\r\n.\r\n") == "452 4.3.1 full\r\n");
    CHECK(script.committed.empty());
}
