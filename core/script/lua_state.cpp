#include <charconv>
#include <cstdlib>
#include <new>
#include <script/lua_state.hpp>
#include <utility>

namespace postern::script {

namespace {

// The clock costs about 25 ns, a concatenation of two long strings up to a millisecond: often enough for either.
constexpr int instructions_a_hook = 100;
constexpr std::size_t longest_cause = 400;

void* allocate(void* context, void* block, std::size_t old_size, std::size_t new_size) {
    auto& budget = *static_cast<Budget*>(context);
    if (!block) old_size = 0;  // then it is a type's tag
    if (new_size == 0) {
        std::free(block);
        budget.used -= old_size;
        return nullptr;
    }
    // Shrinking never fails: Lua relies on it.
    if (new_size > old_size && budget.used - old_size + new_size > budget.limits.memory) return nullptr;
    void* fresh = std::realloc(block, new_size);
    if (fresh) budget.used = budget.used - old_size + new_size;
    return fresh;
}

[[noreturn]] void exceed(lua_State* lua, Budget& budget) {
    const bool counted = budget.instructions > budget.limits.instructions;
    budget.exceeded = true;
    // Whatever still runs while the error unwinds (a variable's __close) ends at its first instruction.
    if (lua_gethook(lua)) lua_sethook(lua, lua_gethook(lua), LUA_MASKCOUNT, 1);
    if (counted)
        lua_pushfstring(lua, "ran more than %I instructions", static_cast<LUAI_UACINT>(budget.limits.instructions));
    else lua_pushfstring(lua, "ran longer than %I ms", static_cast<LUAI_UACINT>(budget.limits.wall.count()));
    lua_error(lua);
    std::abort();  // lua_error does not return
}

void on_count(lua_State* lua, lua_Debug*) {
    auto& budget = budget_of(lua);
    budget.instructions += instructions_a_hook;
    if (budget.instructions > budget.limits.instructions) exceed(lua, budget);
    check_time(lua);
}

// Of the message at 1: says what kind of thing was thrown, and where in `thread`, if the message does not.
int explain_in(lua_State* lua, lua_State* thread, int level) {
    std::size_t size = 0;
    const char* text = nullptr;
    if (lua_type(lua, 1) == LUA_TSTRING) text = lua_tolstring(lua, 1, &size);
    else text = lua_pushfstring(lua, "error was called with a %s instead of a text", luaL_typename(lua, 1));
    const std::string_view message(text);
    if (message.starts_with("script:") || message.starts_with("@modules/")) return 1;
    lua_Debug frame;
    for (; level < 50 && lua_getstack(thread, level, &frame); ++level) {
        lua_getinfo(thread, "Sl", &frame);
        if (frame.currentline <= 0) continue;
        lua_pushfstring(lua, "%s:%d: %s", frame.short_src, frame.currentline, text);
        return 1;
    }
    lua_pushstring(lua, text);
    return 1;
}

// As message handler: runs where the error happened.
int explain(lua_State* lua) { return explain_in(lua, lua, 1); }

// For a thread that failed and still stands where it did.
int explain_thread(lua_State* lua) {
    auto* thread = static_cast<lua_State*>(lua_touserdata(lua, 1));
    lua_remove(lua, 1);
    return explain_in(lua, thread, 0);
}

int call_body(lua_State* lua) {
    const auto& body = *static_cast<const std::function<void(lua_State*)>*>(lua_touserdata(lua, 1));
    lua_settop(lua, 0);
    body(lua);
    return lua_gettop(lua);
}

}  // namespace

Budget& budget_of(lua_State* lua) { return **static_cast<Budget**>(lua_getextraspace(lua)); }

void check_time(lua_State* lua) {
    auto& budget = budget_of(lua);
    if (budget.exceeded || std::chrono::steady_clock::now() > budget.until) exceed(lua, budget);
}

LuaState::Fault located(std::string_view message, std::uint32_t otherwise) {
    LuaState::Fault fault{otherwise, {}, false};
    const auto colon = message.find(':');
    const auto chunk = message.substr(0, colon == std::string_view::npos ? 0 : colon);
    if (chunk == "script" || chunk.starts_with("@modules/")) {
        if (chunk.front() == '@') fault.file = chunk.substr(1);
        const auto rest = message.substr(chunk.size() + 1);
        const auto* end = rest.data() + rest.size();
        std::uint32_t line = 0;
        const auto [stop, wrong] = std::from_chars(rest.data(), end, line);
        if (wrong == std::errc() && stop != end && *stop == ':') {
            fault.line = line;
            message = rest.substr(static_cast<std::size_t>(stop - rest.data()) + 1);
            if (message.starts_with(' ')) message.remove_prefix(1);
        }
    }
    // A script may put a stranger's words into its message: no line breaks, no control characters, no flood.
    for (const char c : message.substr(0, longest_cause)) fault.cause += c >= ' ' && c <= '~' ? c : '?';
    return fault;
}

LuaState::LuaState(Limits limits, void* owner) : budget_(std::make_unique<Budget>()) {
    budget_->limits = limits;
    budget_->owner = owner;
    state_.reset(lua_newstate(allocate, budget_.get()));
    if (!state_) throw std::bad_alloc();
    *static_cast<Budget**>(lua_getextraspace(state_.get())) = budget_.get();
    lua_sethook(state_.get(), on_count, LUA_MASKCOUNT, instructions_a_hook);
}

void LuaState::begin(const Spent& spent) {
    budget_->instructions = spent.instructions;
    budget_->until = std::chrono::steady_clock::now() + budget_->limits.wall - spent.time;
    // Another call's excess is not this one's: a state that is given up still serves those that wait in it.
    if (std::exchange(budget_->exceeded, false))
        lua_sethook(state_.get(), on_count, LUA_MASKCOUNT, instructions_a_hook);
}

bool LuaState::run(int arguments, std::uint32_t home, Fault& fault) {
    auto* lua = state_.get();
    const int base = lua_gettop(lua) - arguments;  // the function's place
    lua_pushcfunction(lua, explain);
    lua_insert(lua, base);
    begin({});
    const int status = lua_pcall(lua, arguments, LUA_MULTRET, base);
    if (status == LUA_OK) {
        lua_remove(lua, base);
        return true;
    }
    fault = fault_of(status, home);
    lua_settop(lua, base - 1);
    return false;
}

Progress LuaState::resume(lua_State* thread, int arguments, Spent& spent, std::uint32_t home, Fault& fault) {
    begin(spent);
    int results = 0;
    const int status = lua_resume(thread, state_.get(), arguments, &results);
    spent.instructions = budget_->instructions;
    spent.time = std::chrono::steady_clock::now() - (budget_->until - budget_->limits.wall);
    if (status == LUA_OK) return Progress::done;
    if (status == LUA_YIELD) {
        lua_pop(thread, results);
        return Progress::waiting;
    }
    fault = fault_of_thread(thread, status, home);
    return Progress::failed;
}

bool LuaState::guard(const std::function<void(lua_State*)>& body, Fault& fault) {
    auto* lua = state_.get();
    lua_pushcfunction(lua, call_body);
    lua_pushlightuserdata(lua, const_cast<void*>(static_cast<const void*>(&body)));
    return run(1, 0, fault);
}

LuaState::Fault LuaState::fault_of_thread(lua_State* thread, int status, std::uint32_t home) {
    auto* lua = state_.get();
    const bool exceeded = budget_->exceeded;
    if (status == LUA_ERRMEM) return fault_of(status, home);
    lua_pushcfunction(lua, explain_thread);
    lua_pushlightuserdata(lua, thread);
    lua_xmove(thread, lua, 1);
    // The explanation is made under limits of its own: the call's may be used up.
    begin({});
    const int explained = lua_pcall(lua, 2, 1, 0);
    budget_->exceeded = exceeded;
    auto fault = fault_of(explained == LUA_OK ? status : explained, home);
    lua_settop(lua, 0);
    return fault;
}

LuaState::Fault LuaState::fault_of(int status, std::uint32_t home) {
    auto* lua = state_.get();
    Fault fault;
    if (status == LUA_ERRMEM) {
        fault = {home,
                 "needed more than " + std::to_string(budget_->limits.memory >> 20) +
                     " MiB of memory (endless recursion, or a table or text that grows)",
                 true};
        return fault;
    }
    const char* text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "failed without a message";
    fault = located(text, home);
    fault.exceeded = budget_->exceeded || status != LUA_ERRRUN;
    return fault;
}

}  // namespace postern::script
