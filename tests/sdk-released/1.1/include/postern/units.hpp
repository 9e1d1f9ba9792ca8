// Durations and sizes as they stand in a configuration: a whole number with a unit behind it. For plugins' own keys.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace postern {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// In the smallest unit; nothing where it is no number, the unit unknown or the product beyond 2^62.
inline std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::initializer_list<Unit> units) {
    std::uint64_t number = 0;
    const auto* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number);
    if (error != std::errc() || end == text.data()) return std::nullopt;
    const std::string_view unit(end, static_cast<std::size_t>(last - end));
    for (const auto& one : units)
        if (one.name == unit && number <= (std::uint64_t{1} << 62) / one.factor) return number * one.factor;
    return std::nullopt;
}

// "500ms", "60s", "10m", "12h", "30d"; without a unit seconds.
inline std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const auto value =
        parse_with_unit(text, {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"", 1000}});
    if (!value) return std::nullopt;
    return std::chrono::milliseconds(*value);
}

// Octets: "4096", "64K", "10M", "1G".
inline std::optional<std::uint64_t> parse_size(std::string_view text) {
    return parse_with_unit(text, {{"", 1}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}});
}

}  // namespace postern
