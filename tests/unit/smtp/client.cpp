#include <catch2/catch.hpp>
#include <smtp/client_session.hpp>

using namespace postern;
using namespace postern::smtp;

namespace {

struct Script {
    explicit Script(TlsPolicy tls = TlsPolicy::none) : session(settings(tls)) {}
    static ClientSettings settings(TlsPolicy tls) {
        ClientSettings settings;
        settings.fqdn = "mail1.contoso.com";
        settings.tls = tls;
        settings.ask_peer = tls == TlsPolicy::required;
        return settings;
    }
    // Feeds one reply and runs to where the machine wants more.
    std::string hear(std::string_view reply) {
        session.feed(reply);
        for (;;) switch (last = session.next()) {
                case ClientDo::ready:
                    if (done) return session.take_output();
                    done = true;
                    session.begin({"a@contoso.com", {"b@example.org", "c@example.org"}, 20, false});
                    break;
                case ClientDo::body:
                    session.body_piece("Subject: x\r\n\r\n.dot\r\n", true);
                    break;
                case ClientDo::finished:
                    outcomes = session.outcomes();
                    break;
                default:
                    return session.take_output();
            }
    }
    ClientSession session;
    ClientDo last = ClientDo::read;
    bool done = false;
    std::vector<RecipientOutcome> outcomes;
};

const std::vector<std::string> good = {"220 hi\r\n", "250-x\r\n250 PIPELINING\r\n",
                                       "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 unknown\r\n", "354 go\r\n",
                                       "250 2.0.0 taken\r\n"};

}  // namespace

TEST_CASE("outcomes are kept apart a recipient", "[client]") {
    Script script;
    std::string sent;
    for (const auto& reply : good) sent += script.hear(reply);
    REQUIRE(script.outcomes.size() == 2);
    CHECK(script.outcomes[0].kind == VerdictKind::proceed);
    CHECK(script.outcomes[1].kind == VerdictKind::reject);
    CHECK(script.outcomes[1].status == "5.1.1");
    CHECK(sent.find("\r\n..dot\r\n.\r\n") != std::string::npos);
}

TEST_CASE("a connection lost at any step is never a delivery", "[client]") {
    for (std::size_t step = 0; step < good.size(); ++step) {
        Script script;
        for (std::size_t i = 0; i < step; ++i) script.hear(good[i]);
        script.session.peer_closed();
        script.hear("");
        for (const auto& outcome : script.outcomes) CHECK(outcome.kind != VerdictKind::proceed);
        CHECK(script.last == ClientDo::close);
        CHECK(script.session.failure());
    }
}

TEST_CASE("where TLS is required the envelope never travels in clear", "[client]") {
    for (const auto* ehlo : {"250 nothing\r\n", "250-x\r\n250 XXXXXXXA\r\n", "500 what\r\n"}) {
        Script script(TlsPolicy::required);
        auto sent = script.hear("220 hi\r\n");
        sent += script.hear(ehlo);
        CHECK(sent.find("MAIL") == std::string::npos);
        CHECK(script.last == ClientDo::close);
        CHECK(script.session.failure());
    }
    Script refused(TlsPolicy::required);
    refused.hear("220 hi\r\n");
    CHECK(refused.hear("250-x\r\n250 STARTTLS\r\n") == "STARTTLS\r\n");
    CHECK(refused.hear("454 4.7.0 no\r\n").find("MAIL") == std::string::npos);
    CHECK(refused.session.failure()->token == "starttls-refused");
}

TEST_CASE("text behind the 220 of STARTTLS breaks the session", "[client]") {
    Script script(TlsPolicy::opportunistic);
    script.hear("220 hi\r\n");
    script.hear("250-x\r\n250 STARTTLS\r\n");
    script.hear("220 go\r\n250 injected\r\n");
    CHECK(script.last == ClientDo::close);
    CHECK(script.session.failure()->token == "handshake-failed");
}

TEST_CASE("the peer is judged before anything is said inside TLS", "[client]") {
    Script script(TlsPolicy::required);
    script.hear("220 hi\r\n");
    script.hear("250-x\r\n250 STARTTLS\r\n");
    script.hear("220 go\r\n");
    REQUIRE(script.last == ClientDo::start_tls);
    script.session.tls_established();
    CHECK(script.session.next() == ClientDo::ask_peer);
    CHECK(script.session.take_output().empty());
    script.session.peer_refused({"name-mismatch", "not woodgrovebank.com"});
    CHECK(script.session.next() == ClientDo::close);
    CHECK(script.session.take_output() == "QUIT\r\n");
    CHECK(script.session.failure()->token == "name-mismatch");
}

TEST_CASE("replies that are none end the session in bounded memory", "[client]") {
    std::string endless;
    for (int i = 0; i < 10000; ++i) endless += "220-x\r\n";
    for (const auto& reply : {std::string("220 a\n"), std::string("hello\r\n"), std::string("220-a\r\n250 b\r\n"),
                              std::string("220 a\0b\r\n", 9), endless, std::string(100000, '2')}) {
        Script script;
        script.hear(reply);
        CHECK(script.last == ClientDo::close);
        CHECK(script.session.failure());
    }
}
