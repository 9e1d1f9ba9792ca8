#include <catch2/catch.hpp>
#include <policy/events.hpp>
#include <set>

namespace postern::policy {

static std::string said(Event event, Effect effect) {
    Decision decision;
    decision.effects.push_back(std::move(effect));
    return nonsense(*find_event(event), decision);
}

TEST_CASE("every event has one row, one name and a word on failure", "[policy]") {
    std::set<std::string_view> names;
    std::set<Event> events;
    for (const auto& row : event_rows()) {
        CHECK(names.insert(row.name).second);
        CHECK(events.insert(row.event).second);
        CHECK_FALSE(row.when.empty());
        CHECK_FALSE(row.on_failure.empty());
        // PluginSet keeps a bit for each.
        CHECK(static_cast<unsigned>(row.event) < 64);
        CHECK(find_event(row.name) == find_event(row.event));
    }
    CHECK(find_event("mial") == nullptr);
}

TEST_CASE("an answer that its event does not take is nonsense", "[policy]") {
    Decision decision;
    decision.verdict = Verdict::defer("later");
    CHECK(nonsense(*find_event(Event::mail), decision).empty());
    CHECK(nonsense(*find_event(Event::queued), decision) == "defer and reject are not taken at the event queued");
    for (const auto& bad :
         {Verdict::reject("no\r\n250 reply"), Verdict::reject("no", "2.0.0"), Verdict::defer("x", "4.3.0", 999)}) {
        decision.verdict = bad;
        CHECK(nonsense(*find_event(Event::mail), decision).starts_with("a reply that is none"));
    }
    decision.verdict.kind = static_cast<VerdictKind>(77);
    CHECK(nonsense(*find_event(Event::mail), decision).starts_with("a verdict of a kind"));
    Decision demanding;
    demanding.demand.emplace().mutual = true;
    CHECK(nonsense(*find_event(Event::outbound_requirement), demanding).empty());
    CHECK(nonsense(*find_event(Event::recipient), demanding) == "a requirement is not taken at the event recipient");
    CHECK(said(Event::mail, {EffectKind::hold, {}, "why"}) == "hold is not taken at the event mail");
    CHECK(said(Event::message_end, {EffectKind::hold, {}, "why"}).empty());
    CHECK_FALSE(said(Event::message_end, {static_cast<EffectKind>(999), {}, {}}).empty());
}

TEST_CASE("what the core alone writes, offers or asks for cannot be touched by an effect", "[policy]") {
    for (const auto* name : {"Received", "authentication-results", "X-Postern-Anything", "Return-Path"})
        for (const auto kind : {EffectKind::add_field, EffectKind::remove_field, EffectKind::rewrite_field})
            CHECK(said(Event::header_end, {kind, name, "x"}).ends_with("is a field that the core alone writes"));
    CHECK(said(Event::ehlo, {EffectKind::hide_extension, "starttls", {}}).ends_with("that would fail open"));
    CHECK(said(Event::ehlo, {EffectKind::hide_extension, "PIPELINING", {}}).empty());
    CHECK_FALSE(said(Event::ehlo, {EffectKind::add_extension, "AUTH", "PLAIN"}).empty());
    CHECK(said(Event::ehlo, {EffectKind::add_extension, "XFOO", "a=b"}).empty());
}

TEST_CASE("an effect cannot smuggle a line", "[policy]") {
    CHECK_FALSE(said(Event::header_end, {EffectKind::add_field, "X-A", "b\r\nX-C: d"}).empty());
    CHECK_FALSE(said(Event::header_end, {EffectKind::add_field, "X-A: b\r\nX-C", "d"}).empty());
    CHECK_FALSE(said(Event::header_end, {EffectKind::add_field, "", "d"}).empty());
    CHECK_FALSE(said(Event::ehlo, {EffectKind::add_extension, "XFOO", "a\r\n250 STARTTLS"}).empty());
    CHECK_FALSE(said(Event::ehlo, {EffectKind::add_extension, "X FOO", ""}).empty());
    CHECK_FALSE(said(Event::message_end, {EffectKind::discard, {}, "a\nb"}).empty());
    CHECK_FALSE(said(Event::client_hello, {EffectKind::request_certificate, {}, "perhaps"}).empty());
    CHECK_FALSE(said(Event::client_hello, {EffectKind::certificate, {}, {}}).empty());
}

}  // namespace postern::policy
