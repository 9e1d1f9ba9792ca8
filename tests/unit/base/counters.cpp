#include <base/alarms.hpp>
#include <catch2/catch.hpp>
#include <cmath>

using namespace postern;

namespace {
struct RecordingLog : Log {
    std::vector<std::string> lines;
    void write(Severity, std::string_view id, std::string_view text) override {
        lines.push_back(std::string(id) + " " + std::string(text));
    }
};
}  // namespace

TEST_CASE("the paper's counters are there at zero before anything happened", "[counters]") {
    Counters counters;
    bool found = false;
    for (const auto& sample : counters.samples())
        found |= sample.name == "postern_domain_secured_messages_received_total" && sample.value == 0;
    CHECK(found);
}

TEST_CASE("a family's value is the sum of its labelled values", "[counters]") {
    Counters counters;
    counters.add("postern_sessions_total", label("connector", "Inet"));
    counters.add("postern_sessions_total", label("connector", "Hub"), 2);
    CHECK(counters.value("postern_sessions_total") == 3);
    CHECK(counters.value("postern_sessions_total", label("connector", "Hub")) == 2);
}

TEST_CASE("labels without end are counted together from a number on", "[counters]") {
    Counters counters;
    const auto count = Counters::most_series + 5;
    for (std::size_t i = 0; i < count; ++i) {
        counters.add("some_total", label("host", std::to_string(i)));
        counters.set("some", label("host", std::to_string(i)), 1);
    }
    CHECK(counters.value("some_total") == static_cast<double>(count));
    CHECK(counters.value("some_total", label("overflow", "true")) == 5);
    CHECK(counters.value("some", label("host", std::to_string(count - 1))) == 0);
    // A gauge that went to zero makes room for one that stands.
    counters.set("some", label("host", "0"), 0);
    counters.set("some", label("host", "new"), 1);
    CHECK(counters.value("some", label("host", "new")) == 1);
}

TEST_CASE("label values of strangers cannot end the label", "[counters]") {
    CHECK(label("reason", "a\"b\\c\nd") == "reason=\"a\\\"b\\\\c\\nd\"");
}

TEST_CASE("an alarm is logged once, stands until it is ended, and moves its gauge", "[alarms]") {
    RecordingLog log;
    Counters counters;
    Alarms alarms(log, counters);
    alarms.raise("role-missing", "tls-mutual", "no plugin provides TLS");
    alarms.raise("role-missing", "tls-mutual", "no plugin provides TLS");
    CHECK(log.lines.size() == 1);
    REQUIRE(alarms.standing().size() == 1);
    CHECK(counters.value("postern_alarm", labels({{"alarm", "role-missing"}, {"subject", "tls-mutual"}})) == 1);
    alarms.end("role-missing", "tls-mutual");
    CHECK(alarms.standing().empty());
    CHECK(counters.value("postern_alarm", labels({{"alarm", "role-missing"}, {"subject", "tls-mutual"}})) == 0);
}

TEST_CASE("controls of strangers cannot forge a log line", "[log]") {
    CHECK(escaped("a\r\nb\x7f\x1b[0m") == "a\\x0d\\x0ab\\x7f\\x1b[0m");
}

TEST_CASE("a gauge that is set to no number is gone, and others stay", "[base]") {
    Counters counters;
    counters.set("postern_ends", "of=\"a\"", 1);
    counters.set("postern_ends", "of=\"b\"", 2);
    counters.set("postern_ends", "of=\"a\"", std::nan(""));
    counters.set("postern_ends", "of=\"c\"", std::nan(""));
    std::vector<std::string> left;
    for (const auto& one : counters.samples())
        if (one.name == "postern_ends") left.push_back(one.labels);
    CHECK(left == std::vector<std::string>{"of=\"b\""});
}
