#include <catch2/catch.hpp>
#include <name-matching/matcher.hpp>

using namespace postern;

namespace {

CertificateFacts leaf_with(std::vector<std::string> names) {
    CertificateFacts facts;
    facts.dns_names = std::move(names);
    facts.has_alternative_names = true;
    return facts;
}

CertificateFacts leaf_named(std::vector<std::string> common_names) {
    CertificateFacts facts;
    facts.common_names = std::move(common_names);
    return facts;
}

NameEvidence ask(const CertificateFacts& leaf, std::string_view domain, const NameRule& rule = {}) {
    name_matching::Matcher matcher;
    return matcher.speaks_for(leaf, domain, rule);
}

struct Case {
    std::string name;
    const char* domain;
    bool speaks;
};

}  // namespace

TEST_CASE("the name rule, case by case", "[name-matching]") {
    using namespace std::string_literals;
    const Case cases[] = {
        {"woodgrovebank.com", "woodgrovebank.com", true},
        {"WoodgroveBank.COM", "woodgrovebank.com", true},
        {"*.woodgrovebank.com", "woodgrovebank.com", true},
        {"mail1.woodgrovebank.com", "woodgrovebank.com", true},
        {"_smtp.woodgrovebank.com", "woodgrovebank.com", true},
        {"xn--bcher-kva.woodgrovebank.com", "woodgrovebank.com", true},
        {"*.contoso.com", "mail.contoso.com", true},
        {"*.contoso.co.uk", "mail.contoso.co.uk", true},
        // too deep, or sideways
        {"mail1.us.woodgrovebank.com", "woodgrovebank.com", false},
        {"a.b.c.woodgrovebank.com", "woodgrovebank.com", false},
        {"*.us.woodgrovebank.com", "woodgrovebank.com", false},
        {"*.contoso.com", "mail.eu.contoso.com", false},
        {"contoso.com", "mail.contoso.com", false},
        {"evilwoodgrovebank.com", "woodgrovebank.com", false},
        {"woodgrovebank.com.evil.com", "woodgrovebank.com", false},
        {"woodgrovebank.co", "woodgrovebank.com", false},
        {".woodgrovebank.com", "woodgrovebank.com", false},
        // wildcards that are none
        {"m*.woodgrovebank.com", "woodgrovebank.com", false},
        {"*l.woodgrovebank.com", "woodgrovebank.com", false},
        {"*", "woodgrovebank.com", false},
        {"*.", "woodgrovebank.com", false},
        {"*.*.woodgrovebank.com", "woodgrovebank.com", false},
        {"mail.*.woodgrovebank.com", "woodgrovebank.com", false},
        {"*woodgrovebank.com", "woodgrovebank.com", false},
        // wildcards below public suffixes
        {"*.com", "woodgrovebank.com", false},
        {"*.co.uk", "woodgrove.co.uk", false},
        {"*.github.io", "woodgrove.github.io", false},
        {"*.co.uk", "co.uk", false},
        {"woodgrove.co.uk", "co.uk", false},
        // what is no DNS name
        {"192.0.2.1", "192.0.2.1", false},
        {"192.0.2.1", "2.1", false},
        {"2001:db8::1", "woodgrovebank.com", false},
        {"woodgrovebank.com\0.evil.com"s, "woodgrovebank.com", false},
        {"woodgrovebank.com\0"s, "woodgrovebank.com", false},
        {" woodgrovebank.com", "woodgrovebank.com", false},
        {"woodgrovebank.com ", "woodgrovebank.com", false},
        {"mail\t.woodgrovebank.com", "woodgrovebank.com", false},
        {"mail\n.woodgrovebank.com", "woodgrovebank.com", false},
        {"b\xc3\xbc"
         "cher.woodgrovebank.com",
         "woodgrovebank.com", false},
        {"mail..woodgrovebank.com", "woodgrovebank.com", false},
        {"woodgrovebank.com.", "woodgrovebank.com", false},
        {"-mail.woodgrovebank.com", "woodgrovebank.com", false},
        {"user@woodgrovebank.com", "woodgrovebank.com", false},
        {std::string(64, 'a') + ".woodgrovebank.com", "woodgrovebank.com", false},
        {std::string(63, 'a') + ".woodgrovebank.com", "woodgrovebank.com", true},
        {"", "woodgrovebank.com", false},
    };
    for (const auto& row : cases) {
        CAPTURE(row.name, row.domain);
        const auto evidence = ask(leaf_with({row.name}), row.domain);
        CHECK(evidence.speaks == row.speaks);
        CHECK(evidence.matched.empty() != row.speaks);
        CHECK_FALSE(evidence.sentence.empty());
    }
}

TEST_CASE("every entry is searched, and the first that speaks is named in lower case", "[name-matching]") {
    const auto evidence = ask(leaf_with({"a.example", "m*.contoso.com", "Mail1.Contoso.com"}), "contoso.com");
    CHECK(evidence.speaks);
    CHECK(evidence.matched == "mail1.contoso.com");
    CHECK(evidence.sentence == "mail1.contoso.com is one label below contoso.com");
}

TEST_CASE("a refusal says why, escapes strangers' octets and stays short", "[name-matching]") {
    const auto deep = ask(leaf_with({"mail1.us.woodgrovebank.com"}), "woodgrovebank.com");
    CHECK(deep.sentence ==
          "no name of the certificate speaks for woodgrovebank.com: mail1.us.woodgrovebank.com is two labels below "
          "woodgrovebank.com");
    const auto rude = ask(leaf_with({"a\r\n250 ok"}), "woodgrovebank.com");
    CHECK(rude.sentence.find("a\\x0d\\x0a250\\x20ok holds white space or a control") != std::string::npos);
    const auto many = ask(leaf_with(std::vector<std::string>(5000, "x.example")), "woodgrovebank.com");
    CHECK(many.sentence.size() < 400);
    CHECK(many.sentence.find("and 4997 more") != std::string::npos);
    CHECK(ask(leaf_with({}), "contoso.com").sentence.find("holds no DNS name") != std::string::npos);
}

TEST_CASE("the exact rule takes the domain alone", "[name-matching]") {
    const NameRule exact{NameRuleKind::exact, {}, false};
    CHECK(ask(leaf_with({"contoso.com"}), "contoso.com", exact).speaks);
    CHECK_FALSE(ask(leaf_with({"mail.contoso.com"}), "contoso.com", exact).speaks);
    CHECK_FALSE(ask(leaf_with({"*.contoso.com"}), "contoso.com", exact).speaks);
    CHECK_FALSE(ask(leaf_with({"*.contoso.com"}), "mail.contoso.com", exact).speaks);
}

TEST_CASE("a list of names speaks whatever the domain, and nothing else does", "[name-matching]") {
    const NameRule listed{NameRuleKind::names, {"gate.hosting.example", "gate2.hosting.example"}, false};
    CHECK(ask(leaf_with({"GATE2.hosting.example"}), "contoso.com", listed).speaks);
    CHECK_FALSE(ask(leaf_with({"contoso.com"}), "contoso.com", listed).speaks);
    CHECK_FALSE(ask(leaf_with({"*.hosting.example"}), "contoso.com", listed).speaks);
    CHECK_FALSE(ask(leaf_with({"contoso.com"}), "contoso.com", {NameRuleKind::names, {}, false}).speaks);
}

TEST_CASE("the common name counts only where it was allowed and stands alone", "[name-matching]") {
    NameRule rule;
    CHECK_FALSE(ask(leaf_named({"mail.contoso.com"}), "contoso.com", rule).speaks);
    rule.cn_fallback = true;
    CHECK(ask(leaf_named({"mail.contoso.com"}), "contoso.com", rule).speaks);
    CHECK_FALSE(ask(leaf_named({"mail.contoso.com", "contoso.com"}), "contoso.com", rule).speaks);
    CHECK_FALSE(ask(leaf_named({"Contoso Mail"}), "contoso.com", rule).speaks);
    auto with_extension = leaf_named({"mail.contoso.com"});
    with_extension.has_alternative_names = true;  // one that holds an e-mail address, say
    CHECK_FALSE(ask(with_extension, "contoso.com", rule).speaks);
}

TEST_CASE("an unknown rule and a domain that is not canonical speak for nobody", "[name-matching]") {
    CHECK_FALSE(ask(leaf_with({"contoso.com"}), "contoso.com", {static_cast<NameRuleKind>(99), {}, false}).speaks);
    CHECK_FALSE(ask(leaf_with({"contoso.com"}), "Contoso.com").speaks);
    CHECK_FALSE(ask(leaf_with({"contoso.com"}), "").speaks);
    CHECK_FALSE(ask(leaf_with({"*.contoso.com"}), "*.contoso.com").speaks);
}
