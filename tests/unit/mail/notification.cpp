#include <catch2/catch.hpp>
#include <mail/notification.hpp>
#include <mail/utf8.hpp>

using namespace postern::mail;

TEST_CASE("NOTIFY is NEVER alone, or some of three words once each", "[dsn]") {
    CHECK(notify_value("never") == "NEVER");
    CHECK(notify_value("Success,DELAY") == "SUCCESS,DELAY");
    for (const auto* bad : {"", "NEVER,SUCCESS", "SUCCESS,SUCCESS", "SUCCESS,", ",", "ALWAYS", "SUCCESS FAILURE"})
        CHECK_FALSE(notify_value(bad));
    const auto asked = notify_of("SUCCESS,DELAY");
    CHECK((asked.success && asked.delay && !asked.failure && !asked.never));
}

TEST_CASE("xtext goes both ways and is refused where it is none", "[dsn]") {
    const std::string all = "a+b=c \n\xff";
    CHECK(to_xtext(all) == "a+2Bb+3Dc+20+0A+FF");
    CHECK(from_xtext(to_xtext(all)) == all);
    for (const auto* bad : {"a+2", "a+zz", "a+2b", "a=b", "a b", "\x80"}) CHECK_FALSE(from_xtext(bad));
}

TEST_CASE("ENVID and ORCPT are bounded and decodable", "[dsn]") {
    CHECK(is_envid("QQ+2B314"));
    CHECK_FALSE(is_envid(std::string(101, 'a')));
    CHECK_FALSE(is_envid("a+0Ab"));
    CHECK(is_orcpt("rfc822;bob+40contoso.com", false));
    CHECK(is_orcpt("utf-8;\\x{FC}@contoso.com", false));
    CHECK(is_orcpt("utf-8;\xc3\xbc@contoso.com", true));
    for (const auto* bad :
         {"rfc822", "rfc822;", ";a", "rfc822;a=b", "utf-8;\\x{D800}a", "utf-8;\\x{fc}a", "utf-8;\xc3\xbc@contoso.com"})
        CHECK_FALSE(is_orcpt(bad, false));
    CHECK_FALSE(is_orcpt("rfc822;" + std::string(500, 'a'), false));
}

TEST_CASE("what stands in a notice's field cannot begin another", "[dsn]") {
    CHECK(typed_address("bob@contoso.com") == "rfc822; bob@contoso.com");
    CHECK(typed_address("\xc3\xbc@contoso.com") == "utf-8; \xc3\xbc@contoso.com");
    CHECK(typed_original("rfc822;a+0D+0AStatus: 2.0.0") == "rfc822; a+0D+0AStatus: 2.0.0");
    CHECK(typed_original("rfc822;a+0D+0AStatus") == "rfc822; a??Status");
    CHECK(typed_original("utf-8;\\x{FC}@contoso.com") == "utf-8; \xc3\xbc@contoso.com");
}

TEST_CASE("UTF-8 is the shortest form or none", "[dsn]") {
    for (const auto* good : {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) CHECK(is_utf8(good));
    for (const auto* bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
        CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("a recipient that is named twice is told of what either asked", "[notification]") {
    CHECK(either_notify("", "").empty());
    CHECK(either_notify("NEVER", "NEVER") == "NEVER");
    CHECK(either_notify("NEVER", "") == "FAILURE");
    CHECK(either_notify("NEVER", "DELAY") == "DELAY");
    CHECK(either_notify("SUCCESS", "FAILURE,DELAY") == "SUCCESS,FAILURE,DELAY");
}
