#include <base/log.hpp>
#include <catch2/catch.hpp>

using postern::escaped;

TEST_CASE("controls and what is not UTF-8 are shown, text is left alone", "[log]") {
    CHECK(escaped("a\r\n\x7f") == "a\\x0d\\x0a\\x7f");
    CHECK(escaped("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x93\xa7") == "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x93\xa7");
    CHECK(escaped("\xe4 x") == "\\xe4 x");
    CHECK(escaped("\xc2\x9b") == "\\xc2\\x9b");  // CSI: a terminal would obey it
    CHECK(escaped("\xc0\xaf\xe0\x80\xaf") == "\\xc0\\xaf\\xe0\\x80\\xaf");
    CHECK(escaped("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate
    CHECK(escaped("\xf4\x90\x80\x80\xc3") == "\\xf4\\x90\\x80\\x80\\xc3");
}
