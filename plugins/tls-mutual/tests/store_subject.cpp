#include <catch2/catch.hpp>
#include <tls-mutual/store/distinguished_name.hpp>
#include <tls-mutual/store/dns_names.hpp>

using namespace postern::tls_mutual;

namespace {

std::string read(std::string_view text) {
    auto name = parse_distinguished_name(text);
    return name ? name->text() : name.failure.text;
}

std::string name(std::string_view typed) {
    auto checked = check_dns_name(typed);
    return checked ? checked->name : checked.failure.text;
}

}  // namespace

TEST_CASE("a subject typed in any order is written in the paper's", "[tls-mutual]") {
    CHECK(read("CN=mail1.contoso.com, OU=Mail, O=Contoso, L=Spokane, ST=WA, C=us") ==
          "C=US, S=WA, L=Spokane, O=Contoso, OU=Mail, CN=mail1.contoso.com");
    CHECK(read("OU=a,OU=b,O=c,CN=d.e") == "O=c, OU=a, OU=b, CN=d.e");
    CHECK(read("C=ES,O=Diversión de Bicicleta,CN=mail1. DiversiondeBicicleta.com") ==
          "C=ES, O=Diversión de Bicicleta, CN=mail1. DiversiondeBicicleta.com");
}

TEST_CASE("quotes and escapes hold what would end a value", "[tls-mutual]") {
    CHECK(read(R"(O="Contoso, Ltd", CN=a.b)") == R"(O="Contoso, Ltd", CN=a.b)");
    CHECK(read(R"(O=Contoso\, Ltd, CN=a.b)") == R"(O="Contoso, Ltd", CN=a.b)");
    CHECK(read(R"(O=Caf\C3\A9, CN=a.b)") == "O=Café, CN=a.b");
    CHECK(read(R"(O="a \" b", CN=a.b)") == R"(O="a \" b", CN=a.b)");
    CHECK(read(R"(O="Contoso, CN=a.b)").find("is not closed") != std::string::npos);
    CHECK(read(R"(O="Contoso" CN=a.b)").find("a comma is missing behind the value of O") != std::string::npos);
    CHECK(read(R"(O=Contoso\)").find("a \\ at the end") != std::string::npos);
}

TEST_CASE("a missing comma is named where it is missing", "[tls-mutual]") {
    CHECK(read("C=US o=contoso corp, CN=mail1.contoso.com").find("a comma is missing before \"o=contoso corp\"") !=
          std::string::npos);
    CHECK(read("O=two = one, CN=a.b") == "O=\"two = one\", CN=a.b");
    CHECK(read("O=Contoso, Ltd, CN=a.b").find("stands in quotes") != std::string::npos);
}

TEST_CASE("sizes and frequencies are the paper's", "[tls-mutual]") {
    CHECK(read("C=USA").find("two letters") != std::string::npos);
    CHECK(read("O=" + std::string(64, 'o')).size() == 66);
    CHECK(read("O=" + std::string(65, 'o')).find("at most 64") != std::string::npos);
    CHECK(read("S=" + std::string(129, 's')).find("at most 128") != std::string::npos);
    std::string wide;
    for (int count = 0; count < 64; ++count) wide += "ö";  // 64 characters, 128 octets
    CHECK(read("O=" + wide) == "O=" + wide);
    CHECK(read("DC=" + std::string(200, 'd') + ", DC=" + std::string(56, 'd')).find("255") != std::string::npos);
    CHECK(read("DC=ü").find("ASCII alone") != std::string::npos);
    CHECK(read("CN=a.b, CN=c.d").find("a second CN") != std::string::npos);
    CHECK(read("C=US, C=DE").find("a second C") != std::string::npos);
    CHECK(read("E=a@b").find("none of C, DC, S (or ST), L, O, OU, CN") != std::string::npos);
    CHECK(read("O=\xff").find("not UTF-8") != std::string::npos);
    CHECK(read("O=a\nb").find("control character") != std::string::npos);
    CHECK(read("O=").find("no value") != std::string::npos);
    const auto name = parse_distinguished_name("CN=" + std::string(65, 'c'));
    REQUIRE(name);
    CHECK(name->long_common_name.size() == 65);
    CHECK(name->values.empty());
}

TEST_CASE("C and DC together are warned about", "[tls-mutual]") {
    const auto name = parse_distinguished_name("C=US, DC=contoso, DC=com");
    REQUIRE(name);
    CHECK(name->warnings.size() == 1);
}

TEST_CASE("components stand most significant first, whichever way they were typed", "[tls-mutual]") {
    for (const auto* typed : {"DC=contoso, DC=com, CN=mail1.contoso.com", "DC=com,DC=Contoso,CN=mail1.contoso.com"}) {
        auto name = parse_distinguished_name(typed);
        REQUIRE(name);
        name->order_components("mail1.contoso.com");
        CHECK(name->values[0].value == "com");
    }
    auto unknown = parse_distinguished_name("DC=a, DC=b");
    unknown->order_components("mail1.contoso.com");
    CHECK(unknown->text() == "DC=a, DC=b");
}

TEST_CASE("names become A-labels, with the form that a human reads", "[tls-mutual]") {
    CHECK(name("Mail1.Contoso.COM.") == "mail1.contoso.com");
    CHECK(name("*.contoso.com") == "*.contoso.com");
    const auto umlaut = check_dns_name("mail.bücher.de");
    REQUIRE(umlaut);
    CHECK(umlaut->name == "mail.xn--bcher-kva.de");
    CHECK(umlaut->unicode == "mail.bücher.de");
    // The same name, typed as an A-label, is shown as it reads.
    CHECK(check_dns_name("mail.xn--bcher-kva.de")->unicode == "mail.bücher.de");
}

TEST_CASE("the paper's mïcrosoft is warned about, as a name and as a common name", "[tls-mutual]") {
    const auto alike = check_dns_name("mail.mïcrosoft.com");
    REQUIRE(alike);
    CHECK(alike->name == "mail.xn--mcrosoft-u2a.com");
    REQUIRE(alike->warnings.size() == 1);
    CHECK(alike->warnings[0].find("easily taken for mail.microsoft.com: it holds U+00EF") != std::string::npos);
    CHECK(seems_a_name("mail.mïcrosoft.com").find("is ignored as one; mail.mïcrosoft.com is easily taken for") !=
          std::string::npos);
    CHECK(seems_a_name("mail.microsoft.com").empty());
    CHECK(seems_a_name("Exchange edge, zweite Tür").empty());
    // Cyrillic а and о; and a name that nobody takes for an ASCII one.
    CHECK(check_dns_name("cоntоsо.com")->warnings.size() == 1);
    CHECK(check_dns_name("почта.example.com")->warnings.empty());
}

TEST_CASE("what cannot be a DNS name is refused with its reason", "[tls-mutual]") {
    CHECK(name("192.0.2.1").find("is an address") != std::string::npos);
    CHECK(name("2001:db8::1").find("is an address") != std::string::npos);
    CHECK(name("a..b").find("cannot stand in a DNS name") != std::string::npos);
    CHECK(name("under_score.contoso.com").find("cannot stand") != std::string::npos);
    CHECK(name("-a.contoso.com").find("cannot stand") != std::string::npos);
    CHECK(name("m*.contoso.com").find("whole first part") != std::string::npos);
    CHECK(name("a.*.contoso.com").find("whole first part") != std::string::npos);
    CHECK(name("*.com").find("top-level") != std::string::npos);
    CHECK(name("").find("is no DNS name") != std::string::npos);
    CHECK(name(std::string(64, 'a') + ".com").find("63 characters") != std::string::npos);
    std::string long_name = "a";
    while (long_name.size() <= 253) long_name += ".abcdefghi";
    CHECK(name(long_name).find("253") != std::string::npos);
    CHECK(check_dns_name("owa1")->warnings.size() == 1);
}

TEST_CASE("a wildcard covers one label", "[tls-mutual]") {
    CHECK(covers("*.contoso.com", "mail1.contoso.com") == Covers::by_wildcard);
    CHECK(covers("*.contoso.com", "contoso.com") == Covers::no);
    CHECK(covers("*.contoso.com", "a.b.contoso.com") == Covers::no);
    CHECK(covers("MAIL1.contoso.com", "mail1.Contoso.com") == Covers::exactly);
}
