// Handlers that wait: several at once in one state, none woken by another's answer, each within its limits.
#include <map>

#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;
using Catch::Matchers::Contains;

namespace {

const char* const rejecting =
    "local found, token, why = postern.dns('TXT', envelope.sender_domain)\n"
    "if not found then return postern.defer(token .. ': ' .. why) end\n"
    "return postern.reject(found[1] .. ' ' .. #found .. ' ' .. session.id)";

policy::AskedQuestion about(Asked& asked, std::string_view partner = {}) {
    return {Event::mail, &asked.session, &asked.envelope, partner, "example.org"};
}

std::string reply(ScriptHost::Call& call) {
    REQUIRE(call.step());
    const auto answer = call.take();
    return answer.error.empty() ? answer.decision.verdict.reply.text : answer.error;
}

}  // namespace

TEST_CASE("a look-up is told as data and its answer goes back to the handler", "[script][lookups]") {
    Asked asked(on_mail(rejecting));
    const auto question = about(asked);
    auto call = asked.host.ask(question);
    REQUIRE_FALSE(call.step());
    CHECK(call.wanted().kind == LookupKind::dns);
    CHECK(call.wanted().type == "TXT");
    CHECK(call.wanted().name == "example.org");
    call.found({{"v=spf1", "b"}, {}, {}});
    CHECK(reply(call) == "v=spf1 2 0123456789ABCDEF");
}

TEST_CASE("a look-up that failed gives nil, a token and a sentence", "[script][lookups]") {
    Asked asked(on_mail(rejecting));
    const auto question = about(asked);
    auto call = asked.host.ask(question);
    REQUIRE_FALSE(call.step());
    call.found({{}, "nxdomain", "no such name"});
    CHECK(reply(call) == "nxdomain: no such name");
}

TEST_CASE("calls that wait at once do not hear each other's answers", "[script][lookups]") {
    Asked asked(on_mail(rejecting));
    const auto question = about(asked);
    std::map<int, ScriptHost::Call> calls;
    for (int i = 0; i < 50; ++i) {
        auto one = calls.emplace(i, asked.host.ask(question)).first;
        REQUIRE_FALSE(one->second.step());
    }
    for (int i = 0; i < 50; i += 2) calls.erase(i);  // dropped while they wait
    for (int i = 49; i > 0; i -= 2) {
        auto& call = calls.at(i);
        call.found({{std::to_string(i)}, {}, {}});
        CHECK(reply(call) == std::to_string(i) + " 1 0123456789ABCDEF");
        calls.erase(i);
    }
    auto fresh = asked.host.ask(question);
    REQUIRE_FALSE(fresh.step());
}

TEST_CASE("a view shows its own call's question after others ran", "[script][lookups]") {
    Asked asked(on_mail("postern.dns('A', 'a.example') return postern.reject(envelope.partner or 'none')"));
    const auto one = about(asked, "one.example"), two = about(asked, "two.example");
    auto first = asked.host.ask(one), second = asked.host.ask(two);
    REQUIRE_FALSE(first.step());
    REQUIRE_FALSE(second.step());
    first.found({});
    CHECK(reply(first) == "one.example");
    second.found({});
    CHECK(reply(second) == "two.example");
}

TEST_CASE("a state that one call spent still serves those that wait in it", "[script][lookups]") {
    Asked asked(on_mail("if envelope.partner == 'zoo' then local t = {} for i = 1, 1e9 do t[i] = i end end\n" +
                        std::string(rejecting)),
                {.wall = Milliseconds(20'000)});
    const auto waiting = about(asked), bad = about(asked, "zoo");
    auto call = asked.host.ask(waiting);
    REQUIRE_FALSE(call.step());
    CHECK_THAT(asked.host.decide(bad).error, Contains("MiB of memory"));
    call.found({{"x"}, {}, {}});
    CHECK(reply(call) == "x 1 0123456789ABCDEF");
}

TEST_CASE("time and instructions of a call add up over its look-ups", "[script][lookups]") {
    Asked asked(on_mail("for i = 1, 10 do for j = 1, 5000 do end postern.dns('A', 'a.example') end"),
                {.instructions = 30'000, .wall = Milliseconds(60'000)});
    const auto question = about(asked);
    auto call = asked.host.ask(question);
    int waited = 0;
    while (!call.step()) {
        ++waited;
        call.found({});
    }
    CHECK(waited > 1);
    CHECK(waited < 10);
    CHECK_THAT(call.take().error, Contains("ran more than 30000 instructions"));
}

TEST_CASE("waiting itself costs nothing of a call's time", "[script][lookups]") {
    Asked asked(on_mail(rejecting), {.wall = Milliseconds(2000)});
    const auto question = about(asked);
    auto call = asked.host.ask(question);
    REQUIRE_FALSE(call.step());
    Asked other(on_mail("while true do end"), {.instructions = ~0ull >> 1, .wall = Milliseconds(2500)});
    CHECK(other.mail().failed);  // 2.5 s pass
    call.found({{"x"}, {}, {}});
    CHECK(reply(call) == "x 1 0123456789ABCDEF");
}

TEST_CASE("look-ups have bounds", "[script][lookups]") {
    Asked asked(on_mail("while true do postern.dns('A', 'a.example') end"));
    const auto question = about(asked);
    auto call = asked.host.ask(question);
    int waited = 0;
    for (; !call.step(); ++waited) call.found({});
    CHECK(waited == 20);
    CHECK_THAT(call.take().error, Contains("more than 20 look-ups in one call"));
}

TEST_CASE("what cannot be looked up is an error with its line", "[script][lookups]") {
    const std::pair<const char*, const char*> wrong[] = {
        {"postern.dns('AAA', 'a.example')", "policy.lua:2: postern.dns: there is no type \"AAA\" (did you mean AAAA?)"},
        {"postern.dns('A', 'a b')", "is no domain name"},
        {"postern.dns('A', ('a'):rep(254))", "is no domain name"},
        {"postern.http('file:///etc/passwd')", "begins with http:// or https://"},
        {"postern.http('http://a.example/\\r\\nX: y')", "printable octets"},
        {"table.sort({ 3, 2, 1 }, function() postern.dns('A', 'a.example') end)",
         "cannot wait inside a library's call"},
        {"postern.reverse('mail.example.org')", "is no address"},
    };
    for (const auto& [body, cause] : wrong) {
        Asked asked(on_mail(body));
        CHECK_THAT(asked.mail().error, Contains(cause));
    }
    CHECK_THAT(Folder().with("a.lua", "postern.dns('A', 'a.example')").problems().at(0),
               Contains("a.lua:1: script: postern.dns belongs inside a handler"));
}

TEST_CASE("addresses are turned round for DNS lists", "[script][lookups]") {
    Asked four(on_mail("return postern.reject(postern.reverse(session.remote_address))"));
    CHECK(four.mail().decision.verdict.reply.text == "1.2.0.192");
    Asked six(on_mail("return postern.reject(postern.reverse('2001:db8::1'))"));
    CHECK(six.mail().decision.verdict.reply.text == "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2");
}

TEST_CASE("a timer is known by its place and interval, and is run alone", "[script][lookups]") {
    Folder folder;
    folder.with("a.lua",
                "local seen = 'never'\n"
                "postern.every(60, function() local list = postern.http('http://a.example/x') seen = list end)\n"
                "postern.every(30, function() error('not this one') end)\n" +
                    on_mail("return postern.reject(seen)"));
    Asked asked(folder);
    const auto set = folder.load();
    REQUIRE(set->timers().size() == 2);
    CHECK(set->timers()[0].every == std::chrono::seconds(60));
    CHECK(set->timers()[1].every == std::chrono::seconds(30));
    CHECK(asked.mail().decision.verdict.reply.text == "never");
    const policy::AskedQuestion tick(Event::timer, nullptr, nullptr);
    auto call = asked.host.tick(set->timers()[0], tick);
    REQUIRE_FALSE(call.step());
    CHECK(call.wanted().name == "http://a.example/x");
    call.found({{"fresh"}, {}, {}});
    REQUIRE(call.step());
    CHECK(call.take().error.empty());
    CHECK(asked.mail().decision.verdict.reply.text == "fresh");
    auto other = asked.host.tick(set->timers()[1], tick);
    REQUIRE(other.step());
    CHECK_THAT(other.take().error, Contains("a.lua:3: not this one"));
}

TEST_CASE("a timer that is none is a fault", "[script][lookups]") {
    for (const auto* text : {"postern.every(5, function() end)", "postern.every('60', function() end)",
                             "postern.every(60)", "postern.every(1e9, function() end)"})
        CHECK_THAT(Folder().with("a.lua", text).problems().at(0), Contains("a.lua:1: script: postern.every takes"));
}

TEST_CASE("fields of a log line are searchable and cannot forge", "[script][lookups]") {
    Asked asked(on_mail("postern.log('judged', { score = 5, from = 'a b\"c\\n', ok = true })"));
    CHECK_FALSE(asked.mail().failed);
    REQUIRE(asked.logged.size() == 1);
    CHECK_THAT(asked.logged[0], Contains("policy.lua:2: judged from=\"a b\\\"c?\" ok=true score=5"));
    Asked wrong(on_mail("postern.log('x', { score = {} })"));
    CHECK_THAT(wrong.mail().error, Contains("the field score is a table"));
}
