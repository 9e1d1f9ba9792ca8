// One case of a test file in a Lua state of its own, with the library `test`: case, ask, tick, equal, matches,
// contains, failed. Knows fakes and answers; which files there are, and what is printed, is others' work.
#pragma once

#include <functional>
#include <script/fakes.hpp>
#include <script/lua_state.hpp>
#include <script/script_set.hpp>

namespace postern::script {

// What test.ask asks; a host for the case, made by whoever runs it.
struct ScriptUnderTest {
    std::string partner;  // the entry whose script it is, or empty
    FakeLists listed;     // unless the test says otherwise
    std::size_t timers = 0;
    // `forgotten` gets the first look-up that was made and of which the fake says nothing.
    std::function<ScriptHost::Answer(const Fake&, std::string& forgotten)> ask;
};

class TestCase {
public:
    TestCase();

    struct Named {
        std::string name;
        std::uint32_t line;
    };
    using Fault = LuaState::Fault;
    // Runs the file's top level, where it says test.case.
    std::optional<Fault> load(std::string_view source);
    const std::vector<Named>& cases() const { return cases_; }
    // Runs one of them, at most once. Nothing: it passed.
    std::optional<Fault> run(std::size_t which, const ScriptUnderTest& script);

private:
    static TestCase& of(lua_State* lua) { return *static_cast<TestCase*>(budget_of(lua).owner); }
    static int add_case(lua_State* lua);
    static int ask(lua_State* lua);
    static int tick(lua_State* lua);
    int answer(lua_State* lua, const Fake& fake);
    static int equal(lua_State* lua);
    static int matches(lua_State* lua);
    static int contains(lua_State* lua);
    static int failed(lua_State* lua);
    void set_up(lua_State* lua);
    void looked_at(const void* answer);

    // An answer that failed has to be looked at: else a script that breaks would pass for one that adds nothing.
    struct Failed {
        const void* answer;
        std::uint32_t line;
        std::string why;
    };
    LuaState state_;
    std::vector<Named> cases_;
    std::vector<int> functions_;
    const ScriptUnderTest* script_ = nullptr;  // while a case runs
    std::size_t asserted_ = 0;
    std::vector<Failed> failed_;
};

}  // namespace postern::script
