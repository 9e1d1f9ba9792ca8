#include <catch2/catch.hpp>
#include <queue/envelope_text.hpp>
#include <queue/notice.hpp>

using namespace postern;
using namespace postern::queue;

namespace {

struct Case {
    QueuedMessage message;
    QueuedRecipient recipient;
    smtp::RecipientOutcome outcome;
    config::Retry retry;
    std::chrono::hours age{0};
    bool final_delivery = false;

    Case() {
        message.sender = "a@a.example";
        message.id = "1A2B";
        message.received = Time(std::chrono::seconds(1700000000));
        recipient.address = "b@b.example";
        outcome = {VerdictKind::reject, 550, "5.1.1", "550 5.1.1 unknown", {}};
    }
    Attempt attempt() const {
        return {
            message, recipient, outcome, retry, "mx.b.example[192.0.2.1]:25", final_delivery, message.received + age};
    }
    std::string reported() const {
        const auto report = to_report(attempt());
        constexpr const char* names[] = {"failed", "delayed", "delivered", "relayed"};
        return report ? names[static_cast<std::size_t>(report->action)] : to_be_held(attempt()) ? "held" : "";
    }
};

Case with(VerdictKind kind, std::string notify, std::chrono::hours age = std::chrono::hours(0)) {
    Case one;
    one.outcome.kind = kind;
    one.recipient.notify = std::move(notify);
    one.age = age;
    return one;
}

constexpr auto delivered = VerdictKind::proceed;
constexpr auto deferred = VerdictKind::defer;
constexpr auto refused = VerdictKind::reject;

std::string text_of(const Case& one, const Returned& returned = {"Subject: x\r\n\r\nbody\r\n", true}) {
    return notice(one.message, {*to_report(one.attempt())}, "mail1.contoso.com", "ID1", one.message.received, returned)
        .text;
}

}  // namespace

TEST_CASE("NOTIFY says which outcomes are told", "[notice]") {
    CHECK(with(refused, "").reported() == "failed");
    CHECK(with(refused, "FAILURE").reported() == "failed");
    CHECK(with(refused, "SUCCESS,DELAY").reported().empty());
    CHECK(with(refused, "NEVER").reported().empty());
    CHECK(with(delivered, "").reported().empty());
    CHECK(with(delivered, "SUCCESS").reported() == "relayed");
    CHECK(with(deferred, "", std::chrono::hours(24 * 6)).reported() == "failed");
    CHECK(with(deferred, "NEVER", std::chrono::hours(24 * 6)).reported().empty());
    auto passed = with(delivered, "SUCCESS");
    passed.outcome.passed_on = true;
    CHECK(passed.reported().empty());
    auto final = with(delivered, "SUCCESS,FAILURE");
    final.final_delivery = true;
    CHECK(final.reported() == "delivered");
}

TEST_CASE("a delay is told once, after four hours, and unasked only to whom we know", "[notice]") {
    using std::chrono::hours;
    CHECK(with(deferred, "DELAY", hours(5)).reported() == "delayed");
    CHECK(with(deferred, "DELAY", hours(3)).reported().empty());
    CHECK(with(deferred, "FAILURE", hours(5)).reported().empty());
    auto one = with(deferred, "", hours(5));
    CHECK(one.reported().empty());
    one.message.known_sender = true;
    CHECK(one.reported() == "delayed");
    one.recipient.delay_notified = true;
    CHECK(one.reported().empty());
    auto secured = with(deferred, "", hours(5));
    secured.message.domain_secured = true;
    CHECK(secured.reported() == "delayed");
}

TEST_CASE("no notice about a notice, and what our hub refuses late is held", "[notice]") {
    auto bounce = with(refused, "");
    bounce.message.sender.clear();
    CHECK(bounce.reported() == "held");
    bounce.recipient.notify = "NEVER";  // as our own notices say
    CHECK(bounce.reported() == "held");
    auto late = with(refused, "");
    late.recipient.hold_late_reject = true;
    CHECK(late.reported() == "held");
    late.message.known_sender = true;
    CHECK(late.reported() == "failed");
    late.message.known_sender = false;
    late.message.domain_secured = true;
    CHECK(late.reported() == "failed");
    auto later = with(deferred, "");
    later.recipient.hold_late_reject = true;
    CHECK(later.reported().empty());
}

TEST_CASE("a notice is a multipart/report with the true cause", "[notice]") {
    Case one;
    one.message.envid = "QQ+2B314";
    one.recipient.orcpt = "rfc822;Bob+40contoso.com";
    const auto text = text_of(one);
    for (const auto* wanted :
         {"To: <a@a.example>\r\n", "Auto-Submitted: auto-replied\r\n",
          "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"postern-ID1\"\r\n",
          "\r\n--postern-ID1\r\nContent-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: QQ+314\r\n"
          "Reporting-MTA: dns; mail1.contoso.com\r\n",
          "\r\n\r\nOriginal-Recipient: rfc822; Bob@contoso.com\r\nFinal-Recipient: rfc822; b@b.example\r\n"
          "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.b.example\r\n"
          "Diagnostic-Code: smtp; 550 5.1.1 unknown\r\n",
          "\r\n--postern-ID1\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody\r\n\r\n--postern-ID1--\r\n"})
        CHECK_THAT(text, Catch::Contains(wanted));
    one.outcome = {VerdictKind::reject, 0, "4.7.5", "mx.b.example proved another name", "name-mismatch"};
    CHECK_THAT(text_of(one), Catch::Contains("Status: 4.7.5\r\nDiagnostic-Code: x-postern; name-mismatch: mx.b.example "
                                             "proved another name\r\n"));
    CHECK_THAT(text_of(one, {"Subject: x\r\n", false}), Catch::Contains("Content-Type: text/rfc822-headers\r\n"));
}

TEST_CASE("nothing that a stranger said ends a part or a field of a notice", "[notice]") {
    Case one;
    one.outcome.text = "550 no\r\n\r\n--postern-ID1--\r\nStatus: 2.0.0";
    const auto text = text_of(one, {"X: y\r\n\r\n--postern-ID1--\r\n", true});
    CHECK(text.find("\r\nStatus: 2.0.0") == std::string::npos);
    CHECK_THAT(text, Catch::Contains("boundary=\"postern-ID1---\""));
    CHECK_THAT(text, Catch::EndsWith("\r\n--postern-ID1-----\r\n"));
}

TEST_CASE("internationalised addresses make a global report", "[notice]") {
    Case one;
    one.message.sender = "\xc3\xbc@a.example";
    one.message.smtputf8 = true;
    one.recipient.address = "\xc3\xb6@b.example";
    const auto made =
        notice(one.message, {*to_report(one.attempt())}, "mail1.contoso.com", "ID1", one.message.received, {});
    CHECK(made.envelope.smtputf8);
    CHECK(made.envelope.eight_bit);
    CHECK_THAT(made.text, Catch::Contains("report-type=global-delivery-status"));
    CHECK_THAT(made.text, Catch::Contains("Content-Type: message/global-delivery-status\r\n"
                                          "Content-Transfer-Encoding: 8bit\r\n"));
    CHECK_THAT(made.text, Catch::Contains("Final-Recipient: utf-8; \xc3\xb6@b.example\r\n"));
}

TEST_CASE("a notice names the host that spoke, by its literal where it has no name", "[notice]") {
    Case one;
    auto attempt = one.attempt();
    attempt.relay = "192.0.2.1[192.0.2.1]:25";
    CHECK_THAT(notice(one.message, {*to_report(attempt)}, "mail1.contoso.com", "ID1", one.message.received, {}).text,
               Catch::Contains("\r\nRemote-MTA: dns; [192.0.2.1]\r\n"));
}

TEST_CASE("of a header section no line is longer than a line may be, and none ends within a character", "[notice]") {
    Returned returned{"A: " + std::string(2000, 'x') + "\r\nB: " + std::string(994, 'x') + "\xc3\xa4\r\n\r\nbody\r\n",
                      true};
    keep_header(returned);
    CHECK_FALSE(returned.whole);
    CHECK(returned.octets == "A: " + std::string(995, 'x') + "\r\nB: " + std::string(994, 'x') + "\r\n");
    for (const std::string broken : {"", "X: no line end", "\r"}) {
        Returned one{broken, true};
        keep_header(one);
        CHECK(one.octets.empty());
    }
}

TEST_CASE("a notice that no 7-bit server could be given is known", "[notice]") {
    Case one;
    const Returned text{
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\r\n", true};
    CHECK(fits_everywhere(text_of(one, text)));
    const Returned header{"Subject: \xe4\r\n\r\nx\r\n", true};
    CHECK_FALSE(fits_everywhere(text_of(one, header)));
    CHECK(fits_everywhere(text_of(one, {"Subject: \xe4\r\n", false})));
    one.message.binary = true;
    const Returned binary{std::string("Content-Transfer-Encoding: binary\r\n\r\n\0\n\r", 39) + "\xff", true};
    const auto made = notice(one.message, {*to_report(one.attempt())}, "mail1.contoso.com", "ID1", {}, binary);
    CHECK(made.envelope.binary);
    CHECK(fits_everywhere(made.text));
}

TEST_CASE("what a notice needs to know survives the spool", "[notice]") {
    QueuedMessage one;
    one.id = "1A";
    one.ret = "HDRS";
    one.envid = "a+20b";
    one.eight_bit_header = one.binary = one.smtputf8 = one.known_sender = true;
    QueuedRecipient recipient;
    recipient.address = "b@b.example";
    recipient.notify = "SUCCESS,DELAY";
    recipient.orcpt = "rfc822;x";
    recipient.hold_late_reject = recipient.held = true;
    one.recipients = {recipient, QueuedRecipient{}};
    const auto again = parse_envelope(to_text(one));
    REQUIRE(again.has_value());
    CHECK((again->ret == "HDRS" && again->envid == "a+20b" && again->eight_bit_header && again->binary &&
           again->smtputf8 && again->known_sender));
    REQUIRE(again->recipients.size() == 2);
    CHECK((again->recipients[0].notify == "SUCCESS,DELAY" && again->recipients[0].orcpt == "rfc822;x" &&
           again->recipients[0].hold_late_reject && again->recipients[0].held));
    CHECK_FALSE((again->recipients[1].held || again->recipients[1].hold_late_reject));
}
