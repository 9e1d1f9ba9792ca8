// Where a source decides, and that a source with probes says and does the same as without.
#include <script/branches.hpp>
#include <script/lua_tokens.hpp>
#include <script/sandbox.hpp>

#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;

namespace {

// "if 2:4": what decides, line and column.
std::vector<std::string> found(std::string_view source) {
    const auto probed = with_probes(source);
    REQUIRE(probed);
    std::vector<std::string> texts;
    for (const auto& one : probed->branches)
        texts.push_back(one.what + " " + std::to_string(one.line) + ":" + std::to_string(one.column));
    return texts;
}
using Texts = std::vector<std::string>;

// Every construct of the language, with what could trip a reader.
constexpr std::string_view everything = R"(
local a <const>, b <close> = 1, nil
local t = { 1, [2] = 2; x = 0x1p-3, ["end"] = 1e+5, function(...) return ... end, f = function(self) return self end }
local long = [==[ if a then ]] end ]==] -- [[ not long
--[[ while
true do ]] --[=[ x ]=]
local s = "if \" then" .. 'or \' and' .. "a\
b\z
   c"
local function deep(n, ...) if n == 0 then return ... end return deep(n - 1, n, ...) end
function t.method(x) return x and x or nil end
function t:other() return self.x == 0.125 and not self.y or -1 end
local i = 0
while i < 3 do i = i + 1 if i == 2 then goto next end ::next:: end
repeat local z = i; i = i - 1 until z <= 1 or not z
for n = 1, 3 do if n > 2 then break elseif n > 1 then i = i + n else i = i - 1; end end
for k, v in pairs({ 5, 6 }) do i = i + (v > 5 and k or v) end
do local c = ((b)) or(a)and"s"or[[t]] i = i + #c end
local bits = (5 & 3 | 8 ~ 1 << 2 >> 1) // 2 ^ 2 % 7
if #s > 3 and t:other() and t.method "x" == "x" and t.method { } ~= nil then i = i * 2 end
local r = select("#", deep(4)) > 3 and (select(2, deep(4)))
return tostring(i) .. s .. tostring(bits) .. tostring(r) .. tostring(... == nil) .. tostring((t[1] or false) and ~0)
)";

}  // namespace

TEST_CASE("a token is what Lua takes for one", "[script][branches]") {
    Texts texts;
    for (const auto& one : lua_tokens("a=0x1p-3..'x\\'y'--[[c]] [=[z]]]=]~=...//1e+5 .5")) texts.emplace_back(one.text);
    CHECK(texts == Texts{"a", "=", "0x1p-3..", "'x\\'y'", "[=[z]]]=]", "~=", "...", "//", "1e+5", ".5", ""});
    CHECK(lua_tokens("\n\na\n'x\\\ny' b").back().line == 5);
}

TEST_CASE("every condition, left side and function is found", "[script][branches]") {
    CHECK(found("if a then elseif b then else end") == Texts{"if 1:4", "elseif 1:18"});
    CHECK(found("while a do end\nrepeat until b") == Texts{"while 1:7", "until 2:14"});
    CHECK(found("local x = a and b or c") == Texts{"and 1:11", "or 1:11"});
    CHECK(found("local x = a or b or c") == Texts{"or 1:11", "or 1:16"});
    CHECK(found("x(function() end)\nlocal function f() end") == Texts{"function 1:3", "function 2:7"});
}

TEST_CASE("what is constant decides nothing", "[script][branches]") {
    CHECK(found("while true do break end repeat until false if 1 then end").empty());
    CHECK(found("for i = 1, 3 do end local x = not a").empty());
}

TEST_CASE("lines stay where they are", "[script][branches]") {
    const auto probed = with_probes(everything);
    REQUIRE(probed);
    const auto lines = [](std::string_view text) { return std::count(text.begin(), text.end(), '\n'); };
    CHECK(lines(probed->source) == lines(everything) + 1);
    CHECK(probed->source.starts_with("local probe = ... return function(...) "));
}

TEST_CASE("a probe takes no name that the source has", "[script][branches]") {
    CHECK(with_probes("local probe, probe_ = 1")->source.starts_with("local probe__ = ..."));
}

TEST_CASE("with probes a script does the same", "[script][branches]") {
    const auto probed = with_probes(everything);
    REQUIRE(probed);
    auto* lua = luaL_newstate();
    luaL_openlibs(lua);
    const bool ran = luaL_dostring(lua, std::string(everything).c_str()) == LUA_OK;
    const std::string plain = lua_tostring(lua, -1);
    INFO(plain);
    REQUIRE(ran);
    const bool compiles = luaL_loadstring(lua, probed->source.c_str()) == LUA_OK;
    INFO(lua_tostring(lua, -1));
    REQUIRE(compiles);
    REQUIRE(luaL_dostring(lua, "return function(_, ...) return (...) end") == LUA_OK);
    REQUIRE(lua_pcall(lua, 1, 1, 0) == LUA_OK);
    REQUIRE(lua_pcall(lua, 0, 1, 0) == LUA_OK);
    CHECK(lua_tostring(lua, -1) == plain);
    lua_close(lua);
}

TEST_CASE("what is no Lua is not understood, and nothing worse", "[script][branches]") {
    for (std::size_t size = 0; size < everything.size(); ++size) (void)with_probes(everything.substr(0, size));
    CHECK_FALSE(with_probes("if"));
    CHECK_FALSE(with_probes(std::string(100'000, '(')));
    CHECK_FALSE(with_probes("function f("));
}
