// Samples as Prometheus text (exposition format 0.0.4). Pure; knows no HTTP. One malformed line makes the collector
// throw the whole answer away, so each name and label is read strictly here, whoever wrote it: what cannot be printed
// is left out and counted.
#pragma once

#include <postern/host.hpp>

namespace postern::counters {

inline constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

// Samples of one family need not stand together; HELP and TYPE come once a family.
std::string exposition(std::vector<CounterSample> samples);

// The labels as they may stand between braces: escapes completed, what is not UTF-8 replaced. Nothing: unreadable, or
// a label twice.
std::optional<std::string> clean_labels(std::string_view labels);
std::string escaped_help(std::string_view text);
std::string printed(double value);

}  // namespace postern::counters
