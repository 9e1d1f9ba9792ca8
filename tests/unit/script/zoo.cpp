// Scripts that misbehave, one each way: contained, named by file and line, and the next call works.
#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;
using Catch::Matchers::Contains;

namespace {

// Each handler misbehaves for this partner only, and answers everybody else: so the second call shows a state that
// works.
std::string misbehaving(const std::string& body) {
    return on_mail("if envelope.partner == 'zoo' then\n" + body + "\nend\nreturn { tls = 'required' }");
}

// Time enough for any machine: what ends the call is what the test is about.
const Limits patient{.wall = Milliseconds(20'000)};

void contained(const std::string& body, const std::string& cause, Limits limits = patient) {
    Folder folder;
    folder.with("zoo.lua", misbehaving(body))
        .with("partners/woodgrovebank.com.lua", on_mail("return { tls = 'mutual' }"));
    Asked asked(folder, limits);
    INFO(body);
    for (int round = 0; round < 3; ++round) {
        const auto failed = asked.mail("zoo");
        CHECK(failed.failed);
        CHECK_FALSE(failed.decision.demand);
        CHECK_THAT(failed.error, Contains("zoo.lua:") && Contains(cause));
        CHECK_THAT(failed.error, !Contains("zoo.lua:0:"));
        const auto next = asked.mail("woodgrovebank.com");
        INFO(next.error);
        CHECK_FALSE(next.failed);
        CHECK_FALSE(next.partner_failed);
        REQUIRE(next.decision.demand);
        CHECK(next.decision.demand->mutual);
    }
}

}  // namespace

TEST_CASE("an endless loop is ended", "[script][zoo]") { contained("while true do end", "ran "); }
TEST_CASE("a loop within the time is ended by its instructions", "[script][zoo]") {
    Asked asked(on_mail("while true do end"), {.instructions = 100'000, .wall = Milliseconds(60'000)});
    CHECK_THAT(asked.mail().error, Contains("policy.lua:2: ran more than 100000 instructions"));
}
TEST_CASE("a loop within its instructions is ended by the time", "[script][zoo]") {
    Asked asked(on_mail("while true do end"), {.instructions = ~0ull >> 1, .wall = Milliseconds(20)});
    CHECK_THAT(asked.mail().error, Contains("policy.lua:2: ran longer than 20 ms"));
}
TEST_CASE("a table without bounds meets the memory limit", "[script][zoo]") {
    contained("local t = {} for i = 1, 1e9 do t[i] = i end", "MiB of memory");
}
TEST_CASE("a text without bounds meets the memory limit", "[script][zoo]") {
    contained("local s = 'x' while true do s = s .. s end", "MiB of memory");
}
TEST_CASE("deep recursion is ended", "[script][zoo]") {
    contained("local function f(n) return 1 + f(n + 1) end return f(0)", "");
}
TEST_CASE("endless tail calls are ended", "[script][zoo]") {
    contained("local function f() return f() end return f()", "ran ");
}
TEST_CASE("recursion through C is ended", "[script][zoo]") {
    contained("local function f(s) return (string.gsub(s, 'x', f)) end return f('x')", "C stack overflow");
}
TEST_CASE("string.rep of 2 GiB is refused", "[script][zoo]") {
    contained("return ('x'):rep(2 ^ 31)", "string.rep would make more than 1 MiB");
}
TEST_CASE("string.rep of nothing, for ever, is refused", "[script][zoo]") {
    contained("return (''):rep(math.maxinteger)", "string.rep would make more than 1 MiB");
}
TEST_CASE("error(nil) is named", "[script][zoo]") {
    contained("error(nil)", "zoo.lua:3: error was called with a nil instead of a text");
}
TEST_CASE("error with a table is named", "[script][zoo]") {
    contained("error({})", "zoo.lua:3: error was called with a table");
}
TEST_CASE("an error's own text is kept, in one printable line", "[script][zoo]") {
    contained("error('a\\nb\\27[31m')", "zoo.lua:3: a?b?[31m");
}
TEST_CASE("a failed assertion names its line", "[script][zoo]") {
    contained("assert(false)", "zoo.lua:3: assertion failed!");
}
TEST_CASE("nil indexed is named", "[script][zoo]") {
    contained("local t\nreturn t.x", "zoo.lua:4: attempt to index a nil value (local 't')");
}
TEST_CASE("a finalizer is refused", "[script][zoo]") {
    contained("setmetatable({}, { __gc = function() error('later') end })", "may not hold __gc");
}
TEST_CASE("a finalizer set afterwards never runs", "[script][zoo]") {
    Asked asked(on_mail("local m = {} local t = setmetatable({}, m) m.__gc = function() postern.log('ran') end"
                        " t = nil for i = 1, 100000 do local x = {} end"),
                patient);
    CHECK_FALSE(asked.mail().failed);
    CHECK(asked.logged.empty());
}
TEST_CASE("a closing variable cannot outlive its limits", "[script][zoo]") {
    contained("local t <close> = setmetatable({}, { __close = function() while true do end end }) while true do end",
              "ran ");
}
TEST_CASE("a metamethod that loops is ended", "[script][zoo]") {
    contained("local t = setmetatable({}, { __index = function(self, k) return self[k + 1] end }) return t[1]", "");
}
TEST_CASE("a table that lies about its length does not hang a library", "[script][zoo]") {
    contained("table.insert(setmetatable({}, { __len = function() return 2 ^ 62 // 1 | 0 end }), 1, 'x')",
              "is a table with a metatable");
    contained("return table.concat(setmetatable({}, { __index = table.concat }), '', 1, math.maxinteger)",
              "is a table with a metatable");
}
TEST_CASE("unpacking without bounds is refused", "[script][zoo]") {
    contained("return table.unpack({}, 1, 1e8)", "too many results");
}
TEST_CASE("a sort with a comparison that loops is ended", "[script][zoo]") {
    contained("table.sort({ 3, 2, 1 }, function() while true do end end)", "ran ");
}
TEST_CASE("many slow library calls are ended by the time", "[script][zoo]") {
    contained("local s = ('x'):rep(1000000) while true do local t = s:upper() end", "ran longer than 500 ms",
              {.wall = Milliseconds(500)});
}
TEST_CASE("a format that makes much is held by the memory limit", "[script][zoo]") {
    contained(
        "local s = ('x'):rep(1000000) return string.format(('%s'):rep(100), s, s, s, s, s, s, s, s, s, s, s, s, s, s, "
        "s, s, s, s, s, s)",
        "");
}
TEST_CASE("nonsense returned a million times is refused", "[script][zoo]") {
    contained("local t = {} for i = 1, 100000 do t[i] = true end return table.unpack(t)", "returned a boolean");
}
TEST_CASE("logging in a loop is cut", "[script][zoo]") {
    Asked asked(on_mail("for i = 1, 1000 do postern.log('line\\n' .. i) end"));
    CHECK_FALSE(asked.mail().failed);
    CHECK(asked.logged.size() == 20);
    CHECK_THAT(asked.logged.front(), Contains("script-log ") && Contains("policy.lua:2: line?1"));
}

TEST_CASE("a table with far apart entries does not hang an insertion", "[script][zoo]") {
    // Its outcome is Lua's; that it ends, within what a call may take, is the point.
    Asked asked(on_mail("local t = {} for i = 0, 61 do t[1 << i] = 1 end table.insert(t, 1, 'x') table.remove(t, 1)"),
                patient);
    const auto answer = asked.mail();
    CHECK(answer.error.find("ran longer") == std::string::npos);
}
