// From the text of one value to its type; the problem says what was expected.
#pragma once

#include <config/settings.hpp>

namespace postern::config {

std::optional<std::chrono::seconds> parse_duration(std::string_view text);  // 60s, 10min, 4h, 5d
std::optional<std::uint64_t> parse_size(std::string_view text);             // 36M, 256K, 1000
std::optional<bool> parse_yes_no(std::string_view text);
std::optional<std::uint64_t> parse_number(std::string_view text);
std::optional<std::uint64_t> parse_port(std::string_view text);   // 1 to 65535
std::optional<std::uint64_t> parse_count(std::string_view text);  // 1 to a million
std::optional<Endpoint> parse_endpoint(std::string_view text);    // 0.0.0.0:25, [::]:25
std::optional<Range> parse_range(std::string_view text);          // 192.0.2.0/24, ::/0, an address
std::optional<Time> parse_last_day(std::string_view text);        // YYYY-MM-DD: the end of that day

}  // namespace postern::config
