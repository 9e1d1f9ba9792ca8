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
                    session.begin(transaction);
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
    ClientTransaction transaction = {"a@contoso.com", {{"b@example.org", {}, {}}, {"c@example.org", {}, {}}}, 20};
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

TEST_CASE("a greeting of 5xx is for good only where nothing has to be proven", "[client]") {
    for (const auto policy : {TlsPolicy::none, TlsPolicy::opportunistic, TlsPolicy::required}) {
        Script script(policy);
        script.hear("554 5.3.2 no service\r\n");
        REQUIRE(script.session.failure());
        CHECK(script.session.failure()->permanent == (policy != TlsPolicy::required));
        CHECK(script.session.failure()->status == (policy == TlsPolicy::required ? "4.3.2" : "5.3.2"));
    }
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

namespace {

// One message to one recipient over a server that offers `keywords`; what was sent until it was served.
struct Offered : Script {
    Offered(std::string_view keywords, ClientTransaction what) {
        transaction = std::move(what);
        hear("220 hi\r\n");
        std::string ehlo = "250-x\r\n";
        for (std::string_view rest = keywords; !rest.empty();) {
            const auto word = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(rest.size(), word.size() + 1));
            ehlo += "250-" + std::string(word) + "\r\n";
        }
        sent = hear(ehlo + "250 HELP\r\n");
    }
    std::string sent;
};

ClientTransaction short_message() {
    ClientTransaction transaction = {"a@contoso.com", {{"b@example.org", {}, {}}}, 20};
    transaction.whole = "Subject: x\r\n\r\n.dot\r\n";
    return transaction;
}

}  // namespace

TEST_CASE("a short message goes in one group with its envelope where the server takes chunks", "[client]") {
    Offered script("PIPELINING,CHUNKING,SIZE 1000", short_message());
    CHECK(script.sent ==
          "MAIL FROM:<a@contoso.com> SIZE=20\r\nRCPT TO:<b@example.org>\r\nBDAT 20 LAST\r\n"
          "Subject: x\r\n\r\n.dot\r\n");
    script.hear("250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.0.0 taken\r\n");
    CHECK(script.outcomes.at(0).kind == VerdictKind::proceed);
    Offered data("PIPELINING", short_message());
    CHECK(data.sent == "MAIL FROM:<a@contoso.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    CHECK(data.hear("250 ok\r\n250 ok\r\n354 go\r\n") == "Subject: x\r\n\r\n..dot\r\n.\r\n");
    CHECK(data.hear("250 2.0.0 taken\r\n").empty());
    CHECK(data.outcomes.at(0).kind == VerdictKind::proceed);
}

TEST_CASE("where nobody was taken and the server still asks for the data it gets none", "[client]") {
    Offered script("PIPELINING", short_message());
    CHECK(script.hear("250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n") == ".\r\n");
    CHECK(script.hear("554 no\r\n") == "RSET\r\n");
    script.hear("250 ok\r\n");
    CHECK(script.outcomes.at(0).status == "5.1.1");
}

TEST_CASE("a message that is accepted before it was sent is not delivered", "[client]") {
    for (const auto* early : {"354 go\r\n250 taken\r\n", "250 taken\r\n"}) {
        Offered script("PIPELINING", short_message());
        script.hear(std::string("250 ok\r\n250 ok\r\n") + early);
        CHECK(script.last == ClientDo::close);
        CHECK(script.outcomes.at(0).kind == VerdictKind::defer);
    }
}

TEST_CASE("552 to RCPT means 452", "[client]") {
    Offered script("PIPELINING", short_message());
    script.hear("250 ok\r\n552 5.5.3 too many\r\n503 no\r\n");
    script.hear("250 ok\r\n");
    CHECK(script.outcomes.at(0).kind == VerdictKind::defer);
    CHECK(script.outcomes.at(0).code == 552);
}

TEST_CASE("a reply out of place defers with a status that there is", "[client]") {
    Offered script("SIZE", short_message());
    script.hear("250 ok\r\n");
    script.hear("354 go\r\n");
    script.hear("250 ok\r\n");
    CHECK(script.outcomes.at(0).kind == VerdictKind::defer);
    CHECK(script.outcomes.at(0).status == "4.5.0");
}

TEST_CASE("what the sender asked about notices is passed on where the server knows DSN", "[client]") {
    auto asked = short_message();
    asked.ret = "HDRS";
    asked.envid = "QQ+2B314";
    asked.recipients = {{"b@example.org", "SUCCESS,DELAY", "rfc822;Bob+40contoso.com"}};
    Offered script("DSN,PIPELINING", asked);
    CHECK_THAT(script.sent, Catch::StartsWith("MAIL FROM:<a@contoso.com> RET=HDRS ENVID=QQ+2B314\r\n"
                                              "RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY "
                                              "ORCPT=rfc822;Bob+40contoso.com\r\n"));
    script.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    script.hear("250 taken\r\n");
    CHECK(script.outcomes.at(0).passed_on);
    Offered without("PIPELINING", asked);
    CHECK(without.sent == "MAIL FROM:<a@contoso.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    without.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    without.hear("250 taken\r\n");
    CHECK_FALSE(without.outcomes.at(0).passed_on);
}

TEST_CASE("a server is never sent what it does not take", "[client]") {
    auto message = short_message();
    message.eight_bit = true;
    CHECK(Offered("PIPELINING", message).outcomes.at(0).status == "5.6.3");
    CHECK_THAT(Offered("8BITMIME", message).sent, Catch::Contains(" BODY=8BITMIME\r\n"));
    message.binary = true;
    CHECK(Offered("8BITMIME,BINARYMIME", message).outcomes.at(0).status == "5.6.3");
    CHECK_THAT(Offered("8BITMIME,BINARYMIME,CHUNKING", message).sent, Catch::Contains(" BODY=BINARYMIME\r\n"));
    CHECK(Offered("SIZE 10", short_message()).outcomes.at(0).status == "5.3.4");
}

TEST_CASE("without SMTPUTF8 only what needs it fails", "[client]") {
    auto message = short_message();
    message.smtputf8 = true;
    message.recipients = {{"b@example.org", {}, {}}, {"\xc3\xbc@example.org", {}, {}}};
    Offered script("PIPELINING,8BITMIME", message);
    CHECK(script.sent == "MAIL FROM:<a@contoso.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    script.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    script.hear("250 taken\r\n");
    CHECK(script.outcomes.at(0).kind == VerdictKind::proceed);
    CHECK(script.outcomes.at(1).status == "5.6.7");
    message.utf8_header = true;
    Offered whole("PIPELINING,8BITMIME", message);
    CHECK(whole.outcomes.at(0).status == "5.6.7");
    CHECK_THAT(Offered("SMTPUTF8,8BITMIME", message).sent, Catch::Contains(" SMTPUTF8\r\n"));
}

namespace {
std::string authenticate(std::string_view ehlo, std::string_view answers, std::optional<ClientFailure>& failure,
                         std::string& said) {
    auto settings = Script::settings(TlsPolicy::required);
    settings.credentials = Credentials{"postern", "s3cret"};
    ClientSession session(settings);
    const auto hear = [&](std::string_view reply) {
        session.feed(reply);
        session.next();
        said += session.take_said();
        return session.take_output();
    };
    auto sent = hear("220 hi\r\n") + hear("250-x\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n") + hear("220 go\r\n");
    CHECK(sent.find("AUTH") == std::string::npos);  // never in clear
    session.tls_established();
    session.next();
    session.peer_accepted();
    sent = hear("") + hear(ehlo);
    for (std::size_t at = 0; at < answers.size();) {
        const auto end = answers.find('\n', at) + 1;
        sent += hear(answers.substr(at, end - at));
        at = end;
    }
    failure = session.failure();
    return sent;
}
}  // namespace

TEST_CASE("credentials go inside verified TLS alone, and never into the log", "[client]") {
    std::optional<ClientFailure> failure;
    std::string said;
    CHECK_THAT(authenticate("250-x\r\n250 AUTH PLAIN LOGIN\r\n", "235 2.7.0 ok\r\n", failure, said),
               Catch::Contains("AUTH PLAIN AHBvc3Rlcm4AczNjcmV0\r\n"));
    CHECK_FALSE(failure);
    CHECK_THAT(authenticate("250-x\r\n250 AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 ok\r\n",
                            failure, said),
               Catch::Contains("AUTH LOGIN\r\ncG9zdGVybg==\r\nczNjcmV0\r\n"));
    CHECK_FALSE(failure);
    CHECK(said.find("czNjcmV0") == std::string::npos);
    CHECK(said.find("AHBvc3Rlcm4A") == std::string::npos);
    authenticate("250-x\r\n250 AUTH PLAIN\r\n", "535 5.7.8 wrong\r\n", failure, said);
    REQUIRE(failure);
    CHECK_FALSE(failure->permanent);  // our fault, not the sender's
    CHECK(failure->status == "4.7.8");
    authenticate("250-x\r\n250 AUTH GSSAPI\r\n", "", failure, said);
    REQUIRE(failure);
    CHECK_FALSE(failure->permanent);
}
