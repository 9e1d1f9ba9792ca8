#include <algorithm>
#include <config/keys.hpp>
#include <new>
#include <script/libraries.hpp>
#include <script/test_answers.hpp>
#include <script/test_library.hpp>

namespace postern::script {

namespace {

// A test may take its time; one that does not end must end nevertheless.
constexpr Limits test_limits{.memory = 64u << 20, .instructions = 1'000'000'000, .wall = Milliseconds(20'000)};
constexpr std::size_t most_cases = 1000;

std::uint32_t line_of_caller(lua_State* lua) {
    lua_Debug frame;
    if (!lua_getstack(lua, 1, &frame) || !lua_getinfo(lua, "l", &frame)) return 0;
    return static_cast<std::uint32_t>(std::max(0, frame.currentline));
}

int fail(lua_State* lua, const std::string& text) { return luaL_error(lua, "%s", text.c_str()); }

// "what: " where the test says what it looks at.
std::string label(lua_State* lua, int index) {
    return lua_isnoneornil(lua, index) ? std::string() : std::string(luaL_checkstring(lua, index)) + ": ";
}

void check_arguments(lua_State* lua, int least, int most, const char* usage) {
    if (lua_gettop(lua) < least || lua_gettop(lua) > most) luaL_error(lua, "wanted is %s", usage);
}

}  // namespace

TestCase::TestCase() : state_(test_limits, this) {
    Fault fault;
    if (!state_.guard([this](lua_State* lua) { set_up(lua); }, fault)) throw std::bad_alloc();
}

void TestCase::set_up(lua_State* lua) {
    push_libraries(lua);
    lua_newtable(lua);
    const luaL_Reg functions[] = {{"case", add_case},   {"ask", ask},           {"tick", tick},     {"equal", equal},
                                  {"matches", matches}, {"contains", contains}, {"failed", failed}, {nullptr, nullptr}};
    luaL_setfuncs(lua, functions, 0);
    make_read_only(lua, "test");
    lua_setfield(lua, -2, "test");
    make_read_only(lua, "_G");
    lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_settop(lua, 0);
}

std::optional<LuaState::Fault> TestCase::load(std::string_view source) {
    const auto body = [&](lua_State* lua) {
        if (luaL_loadbufferx(lua, source.data(), source.size(), chunk_name, "t") != LUA_OK) lua_error(lua);
        lua_call(lua, 0, 0);
    };
    Fault fault;
    if (state_.guard(body, fault)) return std::nullopt;
    return fault;
}

std::optional<LuaState::Fault> TestCase::run(std::size_t which, const ScriptUnderTest& script) {
    script_ = &script;
    lua_settop(state_.get(), 0);
    lua_rawgeti(state_.get(), LUA_REGISTRYINDEX, functions_.at(which));
    Fault fault;
    const bool good = state_.run(0, cases_[which].line, fault);
    script_ = nullptr;
    // An answer that failed explains most of what is wrong with it.
    if (!good && !failed_.empty()) fault.cause += "; the script failed: " + failed_.front().why;
    if (!good) return fault;
    if (!failed_.empty())
        return Fault{failed_.front().line,
                     "the script failed, and the case did not look (test.failed): " + failed_.front().why};
    if (asserted_ == 0) return Fault{cases_[which].line, "the case asserts nothing, so it cannot fail"};
    return std::nullopt;
}

int TestCase::add_case(lua_State* lua) {
    auto& self = of(lua);
    if (self.script_) return luaL_error(lua, "test.case belongs at the top of the file, not in a case");
    if (lua_type(lua, 1) != LUA_TSTRING || !lua_isfunction(lua, 2) || lua_gettop(lua) != 2)
        return luaL_error(lua, "test.case takes a name and a function");
    const std::string name = lua_tostring(lua, 1);
    if (std::ranges::find(self.cases_, name, &Named::name) != self.cases_.end())
        return fail(lua, "a second case is called \"" + name.substr(0, 100) + "\"");
    if (self.cases_.size() == most_cases) return luaL_error(lua, "more than %d cases", int{most_cases});
    self.cases_.push_back({name, line_of_caller(lua)});
    self.functions_.push_back(luaL_ref(lua, LUA_REGISTRYINDEX));
    return 0;
}

int TestCase::ask(lua_State* lua) {
    auto& self = of(lua);
    if (!self.script_) return luaL_error(lua, "test.ask belongs inside a case");
    check_arguments(lua, 1, 2, "test.ask(event, { session =, envelope =, event =, listed = })");
    const std::string name = luaL_checkstring(lua, 1);
    const auto* row = policy::find_event(name);
    if (!row) {
        std::vector<std::string> known;
        for (const auto& one : policy::event_rows()) known.emplace_back(one.name);
        return fail(lua, "there is no event \"" + name.substr(0, 60) + "\"" + config::nearest(name, known));
    }
    const auto& script = *self.script_;
    const auto fake = read_fake(lua, 2, *row, script.listed, script.partner);
    if (!script.partner.empty() && fake->entry != script.partner)
        return fail(lua, "the script of " + script.partner + " is not asked: " +
                             (row->envelope ? "envelope.domain \"" + fake->domain + "\" matches " +
                                                  (fake->entry.empty() ? "no listed entry" : fake->entry)
                                            : "the event " + name + " belongs to no partner"));
    return self.answer(lua, *fake);
}

// The functions of postern.every in their order.
int TestCase::tick(lua_State* lua) {
    auto& self = of(lua);
    if (!self.script_) return luaL_error(lua, "test.tick belongs inside a case");
    check_arguments(lua, 1, 2, "test.tick(1 for the first postern.every, { listed =, lookups = })");
    const auto which = luaL_checkinteger(lua, 1);
    const auto timers = static_cast<lua_Integer>(self.script_->timers);
    if (which < 1 || which > timers)
        return luaL_error(lua, "the script has %I timers", static_cast<LUAI_UACINT>(timers));
    const auto fake = read_fake(lua, 2, *policy::find_event(Event::timer), self.script_->listed, {});
    fake->timer = static_cast<std::size_t>(which - 1);
    return self.answer(lua, *fake);
}

int TestCase::answer(lua_State* lua, const Fake& fake) {
    std::string forgotten;
    const auto given = script_->ask(fake, forgotten);
    if (!forgotten.empty()) return fail(lua, "the script looks up what the test says nothing of: " + forgotten);
    push_answer(lua, fake, given);
    if (given.failed || given.partner_failed) {
        lua_pushvalue(lua, -1);
        luaL_ref(lua, LUA_REGISTRYINDEX);  // its address stays its own
        failed_.push_back({lua_topointer(lua, -1), line_of_caller(lua), given.error});
    }
    return 1;
}

void TestCase::looked_at(const void* answer) {
    std::erase_if(failed_, [&](const Failed& one) { return one.answer == answer; });
}

int TestCase::equal(lua_State* lua) {
    ++of(lua).asserted_;
    check_arguments(lua, 2, 3, "test.equal(got, wanted, what)");
    if (const auto found = difference(lua, 1, 2, false)) return fail(lua, label(lua, 3) + *found);
    return 0;
}

int TestCase::matches(lua_State* lua) {
    auto& self = of(lua);
    ++self.asserted_;
    check_arguments(lua, 2, 3, "test.matches(answer, { field = value }, what)");
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checktype(lua, 2, LUA_TTABLE);
    if (const auto found = difference(lua, 1, 2, true)) return fail(lua, label(lua, 3) + *found);
    if (lua_getfield(lua, 2, "failed"); lua_toboolean(lua, -1)) self.looked_at(lua_topointer(lua, 1));
    return 0;
}

// A text holds a part, or a list an entry.
int TestCase::contains(lua_State* lua) {
    ++of(lua).asserted_;
    check_arguments(lua, 2, 3, "test.contains(text or list, part, what)");
    if (lua_istable(lua, 1)) {
        for (lua_Integer i = 1; lua_rawgeti(lua, 1, i) != LUA_TNIL; ++i) {
            if (!difference(lua, -1, 2, true)) return 0;
            lua_pop(lua, 1);
        }
    } else if (lua_type(lua, 1) == LUA_TSTRING && lua_type(lua, 2) == LUA_TSTRING) {
        if (std::string_view(lua_tostring(lua, 1)).find(lua_tostring(lua, 2)) != std::string_view::npos) return 0;
    }
    return fail(lua, label(lua, 3) + "wanted something with " + written(lua, 2) + ", got " + written(lua, 1));
}

int TestCase::failed(lua_State* lua) {
    auto& self = of(lua);
    ++self.asserted_;
    check_arguments(lua, 1, 2, "test.failed(answer, part of why)");
    luaL_checktype(lua, 1, LUA_TTABLE);
    const std::string part = luaL_optstring(lua, 2, "");
    self.looked_at(lua_topointer(lua, 1));
    if (lua_getfield(lua, 1, "why") != LUA_TSTRING) return luaL_error(lua, "wanted a failure, got none");
    const std::string why = lua_tostring(lua, -1);
    if (why.find(part) == std::string::npos)
        return fail(lua, "wanted a failure with \"" + part + "\", got \"" + why + "\"");
    return 0;
}

}  // namespace postern::script
