// Tests of scripts are tests themselves: they pass and fail where they must, and say why.
#include <script/policy_test.hpp>
#include <script/test_functions.hpp>

#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

namespace {

TestResult result_of(const Folder& folder, const std::string& name, bool coverage = false) {
    TestWishes wishes;
    wishes.coverage = coverage;
    return run_policy_test(folder.file(name), wishes);
}

// Of a script for all with this handler of the event mail, the failure of one case with that body; empty: it passed.
std::string failure(const std::string& script, const std::string& body) {
    Folder folder;
    folder.with("a.lua", script).with("a_test.lua", "test.case('one', function()\n" + body + "\nend)");
    const auto result = result_of(folder, "a_test.lua");
    for (const auto& problem : result.problems) FAIL(problem);
    REQUIRE(result.cases.size() == 1);
    return result.cases[0].failure;
}

const std::string speaks = on_mail("if session.tls then return { tls = 'mutual' } end return postern.defer('later')");

}  // namespace

TEST_CASE("the table of `test` is what a test finds, and what its answers have", "[script][policy-test]") {
    std::string functions, fields;
    for (const auto& row : test_rows()) functions += "assert(type(test." + std::string(row.name) + ") == 'function')\n";
    const auto answer = test_classes().back();
    for (const auto& field : answer.fields) fields += "known." + std::string(field.name) + " = true\n";
    CHECK(failure(speaks, functions + "test.equal(1, 1)") == "");
    CHECK(failure(speaks,
                  "local known = {}\n" + fields +
                      "for name in pairs(test.ask('mail')) do assert(known[name], name) end\ntest.equal(1, 1)") == "");
}

TEST_CASE("an answer is a plain table", "[script][policy-test]") {
    CHECK(failure(speaks,
                  "test.equal(test.ask('mail'), { verdict = 'defer', reply = '451 4.7.1 later', failed = false,"
                  " spoke = true, effects = {} })") == "");
    CHECK(failure(speaks,
                  "test.equal(test.ask('mail', { session = { tls = {} } }), { verdict = 'proceed',"
                  " failed = false, spoke = true, effects = {}, requirement = { tls = 'mutual' } })") == "");
}

TEST_CASE("a failure says where, what was wanted and what came", "[script][policy-test]") {
    CHECK_THAT(failure(speaks, "local answer = test.ask('mail')\ntest.equal(answer.verdict, 'reject', 'verdict')"),
               EndsWith("a_test.lua:3: verdict: wanted \"reject\", got \"defer\""));
    CHECK_THAT(failure(speaks, "test.matches(test.ask('mail'), { requirement = { tls = 'mutual' } })"),
               EndsWith("a_test.lua:2: requirement: wanted { tls = \"mutual\" }, got nil"));
    CHECK_THAT(failure(speaks, "test.equal({ a = { 1, 2 } }, { a = { 1, 3 } })"), EndsWith(": a[2]: wanted 3, got 2"));
    CHECK_THAT(failure(speaks, "test.equal({ a = 1, b = 2 }, { a = 1 })"), EndsWith(": b: wanted nothing, got 2"));
    CHECK_THAT(failure(speaks, "test.matches({ a = { 1, 2 } }, { a = { 1 } })"),
               EndsWith(": a[2]: wanted nothing, got 2"));
    CHECK_THAT(failure(speaks, "test.contains({ 'a' }, 'b')"),
               EndsWith(": wanted something with \"b\", got { \"a\" }"));
    CHECK_THAT(failure(speaks, "assert(false)"), EndsWith("a_test.lua:2: assertion failed!"));
}

TEST_CASE("an unknown field of a fake is an error with a suggestion", "[script][policy-test]") {
    const auto says = [](const std::string& fake, const std::string& wanted) {
        CHECK_THAT(failure(speaks, "test.ask('message_end', " + fake + ")"),
                   Contains("a_test.lua:2: ") && Contains(wanted));
    };
    says("{ sesion = {} }", "there is no fake.sesion (did you mean session?)");
    says("{ session = { hello = 'x' } }", "there is no session.hello (did you mean helo?)");
    says("{ session = { tls = { vresion = 'x' } } }", "there is no session.tls.vresion (did you mean version?)");
    says("{ session = { tls = { version = '1.3' } } }", "\"TLS1.2\" or \"TLS1.3\" is wanted");
    says("{ envelope = { sendr = 'x' } }", "there is no envelope.sendr (did you mean sender?)");
    says("{ envelope = { sender = '<a@b.com>' } }", "is no address");
    says("{ envelope = { partner = 'b.com' } }", "say it with listed");
    says("{ event = { szie = 1 } }", "the event message_end has no detail szie (did you mean size?)");
    says("{ event = { size = 'x' } }", "event.size is a string, a whole number from 0 is wanted");
    says("{ listed = { recieve = 'a.com' } }", "there is no listed.recieve (did you mean receive?)");
    says("{ listed = 'a b' }", "is no domain name");
    CHECK_THAT(failure(speaks, "test.ask('mial')"), Contains("there is no event \"mial\" (did you mean mail?)"));
    CHECK_THAT(failure(speaks, "test.ask('timer', { session = {} })"), Contains("the event timer has no session"));
    CHECK_THAT(failure(speaks, "test.askk('mail')"), Contains("there is no test.askk (did you mean ask?)"));
}

TEST_CASE("what a script sees is what the fake says", "[script][policy-test]") {
    const std::string shows =
        "postern.on('message_end', function(session, envelope, event) for _, one in ipairs({ session.helo,"
        " tostring(session.tls and session.tls.names[1]), envelope.sender, envelope.sender_domain,"
        " envelope.recipients[1], envelope.domain, tostring(envelope.partner), event.size, event.fields[1].value,"
        " tostring(postern.listed('send', 'b.com')) }) do postern.log(one) end end)";
    Folder folder;
    folder.with("a.lua", shows).with("a_test.lua", R"(test.case("one", function()
        test.matches(test.ask("message_end", {
            session = { helo = "me", tls = { names = { "x.a.com" } } },
            envelope = { sender = "me@Sub.A.com", recipients = { "you@b.com" } },
            event = { size = 7, header = "Subject: hi\n there" },
            listed = { receive = ".a.com", send = { "b.com" } },
        }), { failed = false })
    end))");
    const auto result = result_of(folder, "a_test.lua");
    REQUIRE(result.passed());
    std::string logged;
    for (const auto& line : result.cases[0].logged) logged += line.substr(line.rfind(": ") + 1);
    CHECK(logged == " me x.a.com me@Sub.A.com sub.a.com you@b.com sub.a.com .a.com 7 hi there b.com");
}

TEST_CASE("a script that fails is answered as in the daemon", "[script][policy-test]") {
    const auto broken = on_mail("local t = nil return t.x");
    CHECK(failure(broken, "test.failed(test.ask('mail', { listed = 'example.org' }), 'a.lua:2: attempt to index')") ==
          "");
    CHECK(failure(broken,
                  "test.matches(test.ask('mail', { listed = 'example.org' }), { failed = true, verdict = 'defer',"
                  " reply = '451 4.3.0 plugin-failed: mail of example.org cannot be decided: a policy failed here; "
                  "try again later (session 0123456789ABCDEF)' })") == "");
    CHECK(failure(broken, "test.matches(test.ask('mail'), { failed = true, verdict = 'proceed' })") == "");
    CHECK_THAT(failure(broken, "test.equal(test.ask('mail').verdict, 'proceed')"),
               Contains("a_test.lua:2: the script failed, and the case did not look (test.failed): ") &&
                   Contains("a.lua:2: attempt to index"));
    CHECK_THAT(failure(speaks, "test.failed(test.ask('mail'))"), EndsWith("wanted a failure, got none"));
    const auto nonsense = "postern.on('recipient', function() return { tls = 'mutual' } end)";
    CHECK(failure(nonsense,
                  "test.failed(test.ask('recipient'), 'a requirement is not taken at the event recipient')") == "");
    CHECK(failure(on_mail("while true do end"), "test.failed(test.ask('mail'), 'ran ')") == "");
}

TEST_CASE("a partner's script is asked for its partner", "[script][policy-test]") {
    Folder folder;
    folder.with("partners/.a.com.lua", on_mail("return postern.reject(envelope.partner .. ' ' .. envelope.domain)"));
    folder.with("partners/.a.com_test.lua",
                "test.case('theirs', function()\n"
                "test.equal(test.ask('mail').reply, '550 5.7.1 .a.com mail.a.com') end)\n"
                "test.case('others', function() test.ask('mail', { envelope = { sender = 'x@b.com' } }) end)");
    const auto result = result_of(folder, "partners/.a.com_test.lua");
    REQUIRE(result.cases.size() == 2);
    CHECK(result.cases[0].failure == "");
    CHECK_THAT(result.cases[1].failure,
               EndsWith("the script of .a.com is not asked: envelope.domain \"b.com\" matches no "
                        "listed entry"));
}

TEST_CASE("look-ups are the test's own, and a forgotten one is named", "[script][policy-test]") {
    const auto asks = on_mail("local a, why = postern.dns('A', 'x.example') return postern.reject(a and a[1] or why)");
    const auto with = [&](const std::string& lookups) {
        return failure(asks, "test.equal(test.ask('mail', { lookups = " + lookups + " }).reply, '550 5.7.1 ok')");
    };
    CHECK(with("{ dns = { A = { ['x.example'] = 'ok' } } }") == "");
    CHECK(with("{ dns = { A = { ['x.example'] = { 'ok', 'more' } } } }") == "");
    CHECK(with("{ dns = { A = { ['x.example'] = { failure = 'ok' } } } }") == "");
    CHECK_THAT(with("{}"), EndsWith("a_test.lua:2: the script looks up what the test says nothing of: "
                                    "lookups.dns.A[\"x.example\"]"));
    CHECK_THAT(with("{ dsn = {} }"), EndsWith("there is no lookups.dsn (did you mean dns?)"));
    CHECK_THAT(with("{ dns = { AAA = {} } }"), EndsWith("there is no lookups.dns.AAA (did you mean AAAA?)"));
    CHECK_THAT(with("{ dns = { A = { ['x.example'] = { faliure = 'x' } } } }"), !EndsWith("reply"));
    const auto fetches = on_mail("return postern.reject((postern.http('http://x.example/')))");
    CHECK(failure(fetches,
                  "test.equal(test.ask('mail', { lookups = { http = { ['http://x.example/'] = 'body' } } }).reply, "
                  "'550 5.7.1 body')") == "");
}

TEST_CASE("a timer is due when the test says so", "[script][policy-test]") {
    const std::string timers =
        "postern.every(60, function() postern.log('one') end)\n"
        "postern.every(60, function() local t = nil return t.x end)";
    CHECK(failure(timers, "test.matches(test.tick(1), { failed = false })") == "");
    CHECK(failure(timers, "test.failed(test.tick(2), 'a.lua:2: attempt to index')") == "");
    CHECK_THAT(failure(timers, "test.tick(3)"), EndsWith("the script has 2 timers"));
}

TEST_CASE("modules and data are those of the script's folder", "[script][policy-test]") {
    Folder folder;
    folder.with("modules/words.lua", "return { no = 'not today' }").with("data/people.map", "bob allowed\n");
    const std::string uses = "local words, people = postern.module('words'), postern.map('people.map')\n" +
                             on_mail("return postern.reject(words.no .. ' ' .. people:find('bob'))");
    const std::string test =
        "test.case('a', function() test.equal(test.ask('mail').reply, '550 5.7.1 not today allowed') end)";
    folder.with("a.lua", uses).with("a_test.lua", test);
    folder.with("partners/b.com.lua", uses).with("partners/b.com_test.lua", test);
    for (const auto* name : {"a_test.lua", "partners/b.com_test.lua"}) {
        const auto result = result_of(folder, name);
        for (const auto& one : result.problems) FAIL(one);
        REQUIRE(result.cases.size() == 1);
        CHECK(result.cases[0].failure == "");
    }
}

TEST_CASE("each case begins anew", "[script][policy-test]") {
    Folder folder;
    folder.with("a.lua", "local n = 0\n" + on_mail("n = n + 1 return postern.reject('n' .. n)"));
    const std::string once =
        "function() count = count + 1\ntest.equal(count, 1)\n"
        "test.equal(test.ask('mail').reply, '550 5.7.1 n1')\n"
        "test.equal(test.ask('mail').reply, '550 5.7.1 n2') end)\n";
    folder.with("a_test.lua", "local count = 0\ntest.case('1', " + once + "test.case('2', " + once);
    CHECK(result_of(folder, "a_test.lua").passed());
}

TEST_CASE("what cannot be run is a failure", "[script][policy-test]") {
    const auto problem = [](const std::string& script, const std::string& text) {
        Folder folder;
        if (!script.empty()) folder.with("a.lua", script);
        const auto result = result_of(folder.with("a_test.lua", text), "a_test.lua");
        CHECK_FALSE(result.passed());
        return result.problems.empty() ? std::string() : result.problems.front();
    };
    CHECK_THAT(problem("", "test.case('a', function() end)"), Contains("a.lua: script: cannot be read"));
    CHECK_THAT(problem("postern.onn('mail')", "test.case('a', function() end)"),
               Contains("a.lua:1: script: there is no"));
    CHECK_THAT(problem("x = 1", ""), EndsWith("holds no test.case"));
    CHECK_THAT(problem("x = 1", "local x = = 1"), Contains("a_test.lua:1: "));
    CHECK_THAT(problem("x = 1", "x = 1"), EndsWith("_G is read-only: assign to a local"));
    CHECK_THAT(problem("x = 1", "local x = io"), Contains("there is no _G.io"));
    CHECK_THAT(problem("x = 1", "test.ask('mail')"), EndsWith("a_test.lua:1: test.ask belongs inside a case"));
    CHECK_THAT(problem("x = 1", "test.case('a', print)"), Contains("there is no _G.print"));
    CHECK_THAT(problem("x = 1", "for i = 1, 2 do test.case('a', function() end) end"),
               EndsWith("a second case is called \"a\""));
    CHECK_THAT(failure("x = 1", "local x = 1"), EndsWith("the case asserts nothing, so it cannot fail"));
    CHECK_THAT(failure("x = 1", "while true do end"), Contains("ran "));
}

TEST_CASE("coverage tells which outcome was never met, and changes nothing", "[script][policy-test]") {
    Folder folder;
    folder.with("a.lua",
                on_mail("if session.tls and session.tls.version == 'TLS1.3' then return postern.proceed() end"));
    folder.with("a_test.lua", "test.case('a', function() test.matches(test.ask('mail'), { spoke = false }) end)");
    const auto result = result_of(folder, "a_test.lua", true);
    REQUIRE(result.passed());
    REQUIRE(result.measured);
    REQUIRE(result.branches.size() == 3);
    CHECK(result.branches[0].what == "function");
    CHECK(result.branches[0].seen() == 1);
    for (const auto* what : {"and", "if"}) {
        const auto& one = result.branches[what[0] == 'a' ? 1 : 2];
        CHECK(one.what == what);
        CHECK(one.line == 2);
        CHECK_FALSE(one.taken);
        CHECK(one.not_taken);
    }
}

TEST_CASE("the scripts folder passes over tests, and names one that tests nothing", "[script][load]") {
    Folder folder;
    folder.with("a.lua", "").with("a_test.lua", "no Lua");
    folder.with("partners/woodgrovebank.com.lua", "").with("partners/woodgrovebank.com_test.lua", "no Lua");
    CHECK(folder.load()->files().size() == 2);
    folder.with("speed_test.lua", "");
    const auto problems = folder.problems();
    REQUIRE(problems.size() == 1);
    CHECK_THAT(problems[0], Contains("speed_test.lua: script: is taken for a test of speed.lua, which is not there"));
}
