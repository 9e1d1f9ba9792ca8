// Where log lines go, as seen from everywhere below app/: one line an event, under an id of the catalogue.
#pragma once

#include <postern/host.hpp>
#include <string>
#include <string_view>

namespace postern {

class Log {
public:
    virtual ~Log() = default;
    // Any thread. `text` may hold octets of strangers: the sink escapes controls.
    virtual void write(Severity, std::string_view id, std::string_view text) = 0;

    void info(std::string_view id, std::string_view text) { write(Severity::info, id, text); }
    void warning(std::string_view id, std::string_view text) { write(Severity::warning, id, text); }
    void error(std::string_view id, std::string_view text) { write(Severity::error, id, text); }
};

// `\x0a` for every control octet and what is not UTF-8, so that nobody forges a line and every reader can read it.
std::string escaped(std::string_view text);

}  // namespace postern
