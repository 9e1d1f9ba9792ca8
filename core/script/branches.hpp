// Where a script decides, and a copy of its source that says at each such place what was decided: every condition, left
// side of and/or, and function is wrapped in a call of a probe, on its own line, so that positions stay as they are.
//
// Lua offers no place within a line to its hooks. Rewriting the line numbers of a dumped chunk would give one, but the
// dump's form changes between releases of Lua, and every position in a message would have to be mapped back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::script {

struct Branch {
    std::string what;  // "if", "elseif", "while", "until", "and", "or"; "function": that it is called at all
    std::uint32_t line = 0, column = 0;
    bool taken = false, not_taken = false;  // a function: `not_taken` is none of its outcomes

    std::size_t outcomes() const { return what == "function" ? 1 : 2; }
    std::size_t seen() const { return std::size_t{taken} + (what != "function" && not_taken); }
};

struct Probed {
    std::string source;  // a function of the probe that gives the script's own function
    std::vector<Branch> branches;
};
// Of a source that compiles. Nothing: something in it is not understood.
std::optional<Probed> with_probes(std::string_view source);

}  // namespace postern::script
