// Log lines to stderr (journald takes them from there): one line an event, severity, id, text with controls escaped.
#pragma once

#include <base/log.hpp>
#include <memory>

namespace postern::app {

std::unique_ptr<Log> make_stderr_log(Severity least);

}  // namespace postern::app
