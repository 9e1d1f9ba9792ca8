#include <catch2/catch.hpp>
#include <mail/address.hpp>
#include <mail/header.hpp>
#include <mail/reply.hpp>

using namespace postern;
using namespace postern::mail;

TEST_CASE("a domain has one canonical form", "[mail]") {
    CHECK(*canonical_domain("WoodgroveBank.COM") == "woodgrovebank.com");
    CHECK(*canonical_domain("b\xc3\xbc"
                            "cher.example") == "xn--bcher-kva.example");
    for (const auto* bad : {"", ".", "a.", "a..b", "-a.com", "a b.com", "a_\xff.com"})
        CHECK_FALSE(canonical_domain(bad));
    CHECK_FALSE(canonical_domain(std::string(64, 'a') + ".com"));
    CHECK_FALSE(canonical_domain(std::string("a\0.com", 6)));
}

static std::string parsed(std::string_view text) {
    auto path = parse_forward_path(text);
    return path ? path->address() + "|" + std::string(text) : path.failure.token;
}

TEST_CASE("paths lose their source route and keep their parameters", "[mail]") {
    CHECK(parsed("<Bob@Contoso.com> SIZE=1") == "Bob@contoso.com| SIZE=1");
    CHECK(parsed("<@a.com,@b.com:bob@contoso.com>") == "bob@contoso.com|");
    CHECK(parsed("<\"a>b@c\"@contoso.com>") == "\"a>b@c\"@contoso.com|");
    CHECK(parsed("<postmaster>") == "postmaster|");
    CHECK(parsed("<bob@[192.0.2.1]>") == "bob@[192.0.2.1]|");
    CHECK(parsed("<bob@[IPv6:2001:db8::1]>") == "bob@[IPv6:2001:db8::1]|");
}

TEST_CASE("bad paths are refused with their enhanced code", "[mail]") {
    for (const auto* bad : {"bob@contoso.com", "<>", "<bob>", "<bob@>", "<@contoso.com>", "<a..b@contoso.com>",
                            "<bob@contoso.com", "<bob@contoso.com>x", "<bob @contoso.com>", "<bob@[bad]>",
                            "<bob@[192.0.2]>", "<bob@[IPv6:192.0.2.1]>", "<bob@[]>"})
        CHECK(parsed(bad) == "5.1.3");
    CHECK(parsed("<b\xc3\xb6"
                 "b@contoso.com>") == "5.6.7");
    std::string_view null_path = "<>";
    CHECK(parse_reverse_path(null_path)->empty);
}

TEST_CASE("a decider's nonsense becomes 451 4.3.0", "[mail]") {
    CHECK(checked(Verdict::defer("later", "4.7.1", 450)).code == 450);
    for (const auto& nonsense : {Verdict::defer("x", "4.7.1", 999), Verdict::defer("x", "5.7.1", 451),
                                 Verdict::defer("a\r\nb"), Verdict::reject(""), Verdict::reject("x", "5.7.1", 250)}) {
        const auto reply = checked(nonsense);
        CHECK(reply.code == 451);
        CHECK(reply.enhanced == "4.3.0");
    }
}

TEST_CASE("a reply never passes 512 octets and never carries controls", "[mail]") {
    const auto wire = to_wire({550, "5.7.1", std::string(2000, 'x') + "\x1b"}, true);
    CHECK(wire.size() == 512);
    CHECK(to_wire({550, "5.7.1", "a\nb"}, false) == "550 a?b\r\n");
}

TEST_CASE("every From address counts, and only one whole address is single", "[mail]") {
    auto one = from_domains("From: \"a, b@evil.example\" <bob@Woodgrovebank.com>\r\n\r\n");
    CHECK(one.single);
    CHECK(one.domains == std::vector<std::string>{"woodgrovebank.com"});
    CHECK_FALSE(from_domains("From: a@x.com, b@y.com\r\n\r\n").single);
    CHECK_FALSE(from_domains("From: a@x.com\r\nfrom : b@y.com\r\n\r\n").single);
    CHECK(from_domains("From: a@x.com\r\nFROM : b@y.com\r\n\r\n").domains.size() == 2);
    CHECK(from_domains("From: nobody\r\n\r\n").unparsable);
}

TEST_CASE("whose Authentication-Results it is survives comments, case and a trailing dot", "[mail]") {
    for (const auto* body :
         {" edge1.contoso.com; x=pass", " (a(b)c) Edge1.Contoso.COM. 1; x=pass", " \"edge1.contoso.com\"; x"})
        CHECK(authserv_id(body) == "edge1.contoso.com");
    CHECK(authserv_id(" (open edge1.contoso.com; x").empty());
}
