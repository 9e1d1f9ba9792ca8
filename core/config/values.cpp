#include <arpa/inet.h>

#include <charconv>
#include <config/values.hpp>

namespace postern::config {

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (bad != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

static std::optional<std::uint64_t> within(std::string_view text, std::uint64_t most) {
    const auto value = parse_number(text);
    return value && *value > 0 && *value <= most ? value : std::nullopt;
}
std::optional<std::uint64_t> parse_port(std::string_view text) { return within(text, 65535); }
std::optional<std::uint64_t> parse_count(std::string_view text) { return within(text, 1'000'000); }

static std::optional<std::uint64_t> scaled(std::string_view text,
                                           std::initializer_list<std::pair<std::string_view, std::uint64_t>> units) {
    const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
    const auto value = parse_number(digits);
    if (!value) return std::nullopt;
    const auto unit = text.substr(digits.size());
    for (const auto& [name, factor] : units)
        if (unit == name && *value <= UINT64_MAX / factor / 2) return *value * factor;
    return std::nullopt;
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
    const auto value = scaled(text, {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}});
    if (!value || *value > 3650ull * 86400) return std::nullopt;
    return std::chrono::seconds(*value);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return scaled(text, {{"", 1}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}});
}

std::optional<bool> parse_yes_no(std::string_view text) {
    if (text == "yes") return true;
    if (text == "no") return false;
    return std::nullopt;
}

static std::vector<std::uint8_t> address_octets(const std::string& text) {
    std::uint8_t octets[16];
    if (inet_pton(AF_INET, text.c_str(), octets) == 1) return {octets, octets + 4};
    if (inet_pton(AF_INET6, text.c_str(), octets) == 1) return {octets, octets + 16};
    return {};
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = parse_number(text.substr(colon + 1));
    auto address = text.substr(0, colon);
    const bool bracketed = address.starts_with('[') && address.ends_with(']');
    if (bracketed) address = address.substr(1, address.size() - 2);
    const auto octets = address_octets(std::string(address));
    if (!port || *port > 65535 || octets.empty() || (octets.size() == 16) != bracketed) return std::nullopt;
    return Endpoint{std::string(address), static_cast<std::uint16_t>(*port)};
}

std::optional<Range> parse_range(std::string_view text) {
    const auto slash = text.find('/');
    Range range;
    range.network = address_octets(std::string(text.substr(0, slash)));
    if (range.network.empty()) return std::nullopt;
    range.prefix = static_cast<unsigned>(range.network.size() * 8);
    if (slash == std::string_view::npos) return range;
    const auto prefix = parse_number(text.substr(slash + 1));
    if (!prefix || *prefix > range.prefix) return std::nullopt;
    range.prefix = static_cast<unsigned>(*prefix);
    return range;
}

bool Range::contains(std::string_view literal) const {
    const auto octets = address_octets(std::string(literal));
    if (octets.size() != network.size()) return false;
    for (unsigned bit = 0; bit < prefix; ++bit)
        if ((octets[bit / 8] ^ network[bit / 8]) & (0x80 >> bit % 8)) return false;
    return true;
}

std::optional<Time> parse_last_day(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
    const auto year = parse_number(text.substr(0, 4)), month = parse_number(text.substr(5, 2)),
               day = parse_number(text.substr(8, 2));
    if (!year || !month || !day) return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::days(1);
}

}  // namespace postern::config
