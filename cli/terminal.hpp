// What the commands share: text to the terminal, and the exit statuses of sysexits.h that scripts may rely on.
#pragma once

#include <cstdio>
#include <string_view>

namespace postern::cli {

constexpr int exit_usage = 2, exit_no_daemon = 69, exit_temporary = 75, exit_configuration = 78;

inline void print(std::string_view text, std::FILE* to = stdout) { std::fwrite(text.data(), 1, text.size(), to); }

}  // namespace postern::cli
