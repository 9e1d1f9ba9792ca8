#include <catch2/catch.hpp>
#include <counters/exposition.hpp>
#include <limits>

using namespace postern;
using namespace postern::counters;

namespace {
CounterSample sample(const std::string& name, const std::string& labels, double value,
                     CounterKind kind = CounterKind::counter) {
    return {name, labels, kind, value, "Explained."};
}
std::string without_own(const std::string& text) {
    return text.substr(0, text.find("# HELP postern_counters_left_out"));
}
bool left_out(const std::string& text, int count) {
    return text.ends_with("\npostern_counters_left_out " + std::to_string(count) + "\n");
}
}  // namespace

TEST_CASE("a family has HELP and TYPE once, also when its samples do not stand together", "[counters]") {
    const auto text = exposition({sample("b_total", "domain=\"x\"", 2), sample("a", {}, 1.5, CounterKind::gauge),
                                  sample("b_total", "domain=\"y\"", 3)});
    CHECK(without_own(text) ==
          "# HELP a Explained.\n# TYPE a gauge\na 1.5\n"
          "# HELP b_total Explained.\n# TYPE b_total counter\nb_total{domain=\"x\"} 2\nb_total{domain=\"y\"} 3\n");
    CHECK(left_out(text, 0));
}

TEST_CASE("an explanation cannot begin a line of its own", "[counters]") {
    auto one = sample("a_total", {}, 0);
    one.explanation = "first\nevil_total 1 \\ end";
    CHECK(exposition({one}).starts_with("# HELP a_total first\\nevil_total 1 \\\\ end\n# TYPE a_total counter\n"));
}

TEST_CASE("labels keep their escapes, and raw line breaks become escapes", "[counters]") {
    CHECK(clean_labels("reason=\"a\\\"b\\\\c\\nd\"") == "reason=\"a\\\"b\\\\c\\nd\"");
    CHECK(clean_labels("reason=\"two\nlines\"") == "reason=\"two\\nlines\"");
    CHECK(clean_labels("a=\"}{,=\",b=\"\"") == "a=\"}{,=\",b=\"\"");
    CHECK(clean_labels("") == "");
}

TEST_CASE("octets that are no UTF-8 are replaced, each of them", "[counters]") {
    CHECK(clean_labels("a=\"b\xC3\xBC\"") == "a=\"b\xC3\xBC\"");
    CHECK(clean_labels("a=\"\xF0\x9F\x98\x80\"") == "a=\"\xF0\x9F\x98\x80\"");
    const std::string broken = "\xEF\xBF\xBD";
    CHECK(clean_labels("a=\"\xFF.\"") == "a=\"" + broken + ".\"");
    CHECK(clean_labels("a=\"\xC0\x80\"") == "a=\"" + broken + broken + "\"");               // overlong
    CHECK(clean_labels("a=\"\xED\xA0\x80\"") == "a=\"" + broken + broken + broken + "\"");  // a surrogate
    CHECK(clean_labels("a=\"\xE2\x82\"") == "a=\"" + broken + broken + "\"");               // cut off by the quote
}

TEST_CASE("labels that cannot be read are none", "[counters]") {
    for (const std::string_view bad :
         {"domain", "domain=", "domain=x", "domain=\"x", "domain=\"x\\\"", "domain=\"x\\", "domain=\"x\\q\"", "=\"x\"",
          "1a=\"x\"", "a-b=\"x\"", "__name__=\"x\"", "a=\"x\"b=\"y\"", "a=\"x\",", ",a=\"x\"", "a=\"x\",a=\"y\"",
          "a=\"x\"} 1\nevil_total{b=\"y\""}) {
        INFO(bad);
        CHECK_FALSE(clean_labels(bad));
    }
}

TEST_CASE("what cannot be printed is left out and counted; the rest stays", "[counters]") {
    const auto text =
        exposition({sample("good_total", "a=\"1\"", 1), sample("good_total", "a=\"1\"", 2),
                    sample("good_total", "broken", 3), sample("bad name", {}, 4), sample("good_total", "a=\"2\"", 5)});
    CHECK(without_own(text) ==
          "# HELP good_total Explained.\n# TYPE good_total counter\ngood_total{a=\"1\"} 1\ngood_total{a=\"2\"} 5\n");
    CHECK(left_out(text, 3));
}

TEST_CASE("the head of a family does not go with an unreadable first sample", "[counters]") {
    CHECK(without_own(exposition({sample("a_total", "broken", 1), sample("a_total", "b=\"c\"", 2)})) ==
          "# HELP a_total Explained.\n# TYPE a_total counter\na_total{b=\"c\"} 2\n");
}

TEST_CASE("whole numbers are printed whole, and what is no number by its name", "[counters]") {
    using Limits = std::numeric_limits<double>;
    CHECK(printed(0) == "0");
    CHECK(printed(-3) == "-3");
    CHECK(printed(0.25) == "0.25");
    CHECK(printed(1795608000) == "1795608000");
    CHECK(printed(1e300) == "1e+300");
    CHECK(printed(Limits::quiet_NaN()) == "NaN");
    CHECK(printed(Limits::infinity()) == "+Inf");
    CHECK(printed(-Limits::infinity()) == "-Inf");
}
