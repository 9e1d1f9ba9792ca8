#include <catch2/catch.hpp>
#include <net/header_edits.hpp>

using postern::EffectKind;
using postern::net::edited;

static const std::string header = "From: <a@b>\r\nSubject: one\r\n two\r\nX-A: 1\r\nx-a: 2\r\n\r\n";

TEST_CASE("what no effect names stays octet for octet", "[net]") {
    CHECK(edited(header, {}) == header);
    CHECK(edited(header, {{EffectKind::hold, {}, "other kinds are left alone"}}) == header);
    CHECK(edited("no field at all\r\nX: y\r\n\r\n", {{EffectKind::remove_field, "X", {}}}) ==
          "no field at all\r\n\r\n");
}

TEST_CASE("fields are added in front, removed by name and rewritten in place", "[net]") {
    CHECK(edited(header, {{EffectKind::add_field, "X-Tag", "seen"}}) == "X-Tag: seen\r\n" + header);
    CHECK(edited(header, {{EffectKind::remove_field, "X-A", {}}}) == "From: <a@b>\r\nSubject: one\r\n two\r\n\r\n");
    CHECK(edited(header, {{EffectKind::rewrite_field, "X-a", "3"}}) ==
          "From: <a@b>\r\nSubject: one\r\n two\r\nX-A: 3\r\n\r\n");
    CHECK(edited(header, {{EffectKind::rewrite_field, "X-New", "3"}}) == "X-New: 3\r\n" + header);
    CHECK(edited("\r\n", {{EffectKind::add_field, "X-Tag", "seen"}}) == "X-Tag: seen\r\n\r\n");
}

TEST_CASE("a long value is folded before a blank, and unfolds to itself", "[net]") {
    std::string value = "word";
    while (value.size() < 300) value += " word";
    const auto text = edited("\r\n", {{EffectKind::add_field, "X-Long", value}});
    std::string unfolded;
    std::size_t column = 0, longest = 0;
    for (const char c : text) {
        if (c == '\r' || c == '\n') column = 0;
        else {
            unfolded += c;
            longest = std::max(longest, ++column);
        }
    }
    CHECK(longest <= 78);
    CHECK(unfolded == "X-Long: " + value);
}
