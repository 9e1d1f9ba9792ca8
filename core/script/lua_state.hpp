// One Lua state that cannot harm its host: memory counted by its allocator, instructions and time by a count hook, and
// every call made through run(), which turns whatever went wrong into one text. Knows no events and no policy.
#pragma once

#include <chrono>
#include <functional>
#include <lua.hpp>
#include <memory>
#include <script/script_set.hpp>
#include <string>
#include <string_view>

namespace postern::script {

// What one state may use; found by Lua's C functions through the state's extra space.
struct Budget {
    Limits limits;
    std::size_t used = 0;            // octets
    std::uint64_t instructions = 0;  // of this call
    std::chrono::steady_clock::time_point until{};
    bool exceeded = false;  // instructions or time: from then on every instruction of that call fails
    void* owner = nullptr;  // the Sandbox that owns the state
};

// What a call that waits in between has used so far; waiting itself costs nothing.
struct Spent {
    std::uint64_t instructions = 0;
    std::chrono::steady_clock::duration time{};
};

enum class Progress : std::uint8_t { done = 1, waiting = 2, failed = 3 };

class LuaState {
public:
    // Throws std::bad_alloc where not even an empty state fits.
    LuaState(Limits limits, void* owner);
    lua_State* get() const { return state_.get(); }

    struct Fault {
        std::uint32_t line = 0;  // 0: not known
        std::string cause;       // one line of printable text, bounded
        bool exceeded = false;   // memory, instructions, time or a failing error handler: the state is spent
        std::string file{};      // of a module, "modules/common.lua"; empty: the script's own
    };
    // Calls what lies below `arguments` values on the stack under fresh limits; leaves every result, or nothing.
    // `home` is the line to name where Lua itself cannot say one (memory).
    bool run(int arguments, std::uint32_t home, Fault& fault);
    // Starts or goes on with a thread of this state, under what is left of its limits. Its results stay on its stack; a
    // thread that failed is not to be used again.
    Progress resume(lua_State* thread, int arguments, Spent& spent, std::uint32_t home, Fault& fault);
    // Runs the host's own code, which pushes and reads values, under the same protection.
    bool guard(const std::function<void(lua_State*)>& body, Fault& fault);

private:
    struct Close {
        void operator()(lua_State* state) const { lua_close(state); }
    };
    void begin(const Spent& spent);
    Fault fault_of(int status, std::uint32_t home);
    Fault fault_of_thread(lua_State* thread, int status, std::uint32_t home);
    std::unique_ptr<Budget> budget_;
    std::unique_ptr<lua_State, Close> state_;
};

// Every script is called this, so that positions in messages have one form; the host puts the file's name there. A
// module is called "=@modules/common.lua".
constexpr const char* chunk_name = "=script";

Budget& budget_of(lua_State* lua);
// To be called first by every C function whose cost grows with its arguments: the hook does not interrupt C code.
void check_time(lua_State* lua);
// Splits "script:12: cause" and "@modules/common.lua:12: cause".
LuaState::Fault located(std::string_view message, std::uint32_t otherwise);

}  // namespace postern::script
