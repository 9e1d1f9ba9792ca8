#include <catch2/catch.hpp>
#include <mail/base64.hpp>
#include <mail/downgrade.hpp>

using namespace postern::mail;

namespace {

DowngradePlan surveyed(std::string_view message, Taken taken, std::size_t step) {
    Downgrade survey(taken);
    for (std::size_t at = 0; at < message.size(); at += step) survey.feed(message.substr(at, step));
    survey.finish();
    return survey.plan();
}

std::string converted(std::string_view message, Taken taken, std::size_t step) {
    auto plan = surveyed(message, taken, step);
    if (!plan.impossible.empty()) return plan.impossible;
    Downgrade writer(std::move(plan));
    std::string out;
    for (std::size_t at = 0; at < message.size(); at += step) {
        writer.feed(message.substr(at, step));
        out += writer.take_output();
    }
    writer.finish();
    return out + writer.take_output();
}

std::string converted(std::string_view message, Taken taken = Taken::seven_bit) {
    const auto whole = converted(message, taken, message.size());
    for (const std::size_t step : {1, 2, 3, 7}) CHECK(converted(message, taken, step) == whole);
    return whole;
}

}  // namespace

TEST_CASE("an 8-bit text becomes quoted-printable, and its header says so", "[downgrade]") {
    CHECK(converted("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
                    "8bit\r\n\r\nH\xc3\xa4user = \r\n.dot\r\n") ==
          "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
          "quoted-printable\r\n\r\nH=C3=A4user =3D=20\r\n.dot\r\n");
}

TEST_CASE("a text that never said what it is gets the labels of RFC 1428", "[downgrade]") {
    CHECK(converted("Subject: x\r\n\r\n\xe4\r\n") ==
          "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n");
}

TEST_CASE("only the parts that need it are encoded, and nothing between them moves", "[downgrade]") {
    const std::string head = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\"b 1\"\r\n";
    const std::string plain = "--b 1\r\nContent-Type: text/plain\r\n\r\nplain\r\n\r\n";
    const std::string tail = "\r\n--b 1--\r\nepilogue\r\n";
    CHECK(converted(head + "Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n" + plain +
                    "--b 1\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff\r\nz" +
                    tail) == head + "Content-Transfer-Encoding: 7bit\r\n\r\npreamble\r\n" + plain +
                                 "--b 1\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                                 to_base64("\xff\r\nz") + tail);
}

TEST_CASE("a message within a message is converted inside", "[downgrade]") {
    CHECK(converted("MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                    "Subject: in\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n") ==
          "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
          "Subject: in\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n");
}

TEST_CASE("an internationalised message within a message is encoded as a whole for a 7-bit server", "[downgrade]") {
    const std::string head =
        "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/global\r\n";
    const std::string inner = "Subject: \xc3\xbc\r\n\r\nx";
    const auto message = head + "Content-Transfer-Encoding: 8bit\r\n\r\n" + inner + "\r\n--b--\r\n";
    CHECK(converted(message) ==
          head + "Content-Transfer-Encoding: base64\r\n\r\n" + postern::mail::to_base64(inner) + "\r\n--b--\r\n");
    CHECK(surveyed(message, Taken::eight_bit, 100).impossible.empty());
}

TEST_CASE("binary data becomes base64 for a server that takes 8 bits, and 8-bit text stays", "[downgrade]") {
    const std::string data("\0\r\x01\n\r\n\xff", 7);
    const auto message =
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n--b\r\nContent-Type: image/x\r\n"
        "Content-Transfer-Encoding: binary\r\n\r\n" +
        data + "\r\n--b--\r\n";
    CHECK(converted(message, Taken::eight_bit) ==
          "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
          "Content-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n--b\r\nContent-Type: image/x\r\n"
          "Content-Transfer-Encoding: base64\r\n\r\n" +
              to_base64(data) + "\r\n--b--\r\n");
}

TEST_CASE("every line of an encoding has at most 76 octets", "[downgrade]") {
    for (const auto* type : {"text/plain", "image/x"}) {
        std::string body;
        for (int i = 0; i < 5000; ++i) body += static_cast<char>(i * 7 % 94 + (i % 5 ? 33 : 128));
        const auto out =
            converted(std::string("MIME-Version: 1.0\r\nContent-Type: ") + type + "\r\n\r\n" + body + "\r\n");
        for (std::size_t at = 0; at < out.size();) {
            const auto end = out.find("\r\n", at);
            REQUIRE(end != std::string::npos);
            CHECK(end - at <= 76);
            at = end + 2;
        }
    }
}

TEST_CASE("what cannot be encoded without harm says why", "[downgrade]") {
    const auto why = [](std::string_view message) { return surveyed(message, Taken::seven_bit, 1000).impossible; };
    CHECK_THAT(why("Subject: \xe4\r\n\r\nx\r\n"), Catch::Contains("header section"));
    CHECK_THAT(why("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xe4\r\n--b--\r\n"),
               Catch::Contains("signed"));
    CHECK_THAT(why("Content-Type: message/partial\r\n\r\n\xe4\r\n"), Catch::Contains("message/partial"));
    CHECK_THAT(why("Content-Transfer-Encoding: base64\r\n\r\n\xe4\r\n"), Catch::Contains("base64"));
    CHECK_THAT(why("Content-Type: multipart/mixed; boundary=b\r\n\r\n\xe4\r\n--b--\r\n"), Catch::Contains("between"));
    std::string deep;
    for (int i = 0; i < 60; ++i) deep += "Content-Type: message/rfc822\r\n\r\n";
    CHECK_THAT(why(deep + "x: y\r\n\r\n\xe4\r\n"), Catch::Contains("deep"));
}
