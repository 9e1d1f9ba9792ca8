// One record as a line of the protocol log: CSV as RFC 4180 quotes it, controls and what is no UTF-8 as \x0a, so that
// nobody forges a line.
#pragma once

#include <postern/decider.hpp>

namespace postern::logging {

inline constexpr std::string_view fields =
    "date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context";

std::string to_line(const ProtocolRecord& record);  // with its line end
std::string utc(Time time);                         // "2026-08-28T22:37:53.323Z"

// The columns of a line; nothing where it is not one of ours (a head line, cut off).
std::optional<std::vector<std::string>> columns_of(std::string_view line);

}  // namespace postern::logging
