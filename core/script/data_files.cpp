#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <script/data_files.hpp>

namespace postern::script {

namespace {

constexpr std::size_t most_problems = 20;  // a file

std::string folded(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; });
    return lower;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Whether only printable octets stand in it; non-ASCII is left alone (SMTPUTF8 addresses).
bool clean(std::string_view text) {
    return std::ranges::none_of(text, [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

}  // namespace

bool KeyFile::add(std::string_view key, std::string_view value) {
    return values_.try_emplace(folded(key), std::string(value)).second;
}

std::optional<std::string_view> KeyFile::find(std::string_view key) const {
    const auto found = values_.find(folded(key));
    if (found == values_.end()) return std::nullopt;
    return found->second;
}

std::optional<std::string_view> KeyFile::find_domain(std::string_view domain) const {
    auto lower = folded(domain);
    if (const auto found = values_.find(lower); found != values_.end()) return found->second;
    for (auto dot = lower.find('.'); dot != std::string::npos; dot = lower.find('.', dot + 1))
        if (const auto found = values_.find(std::string_view(lower).substr(dot)); found != values_.end())
            return found->second;
    return std::nullopt;
}

std::optional<NetworkFile::Address> NetworkFile::read(const std::string& literal, bool& four) {
    Address address{};
    in_addr v4{};
    four = inet_pton(AF_INET, literal.c_str(), &v4) == 1;
    if (four) {
        address[10] = address[11] = 0xff;
        std::memcpy(address.data() + 12, &v4, 4);
        return address;
    }
    in6_addr v6{};
    if (inet_pton(AF_INET6, literal.c_str(), &v6) != 1) return std::nullopt;
    std::memcpy(address.data(), &v6, 16);
    return address;
}

NetworkFile::Address NetworkFile::cut(Address address, unsigned bits) {
    for (unsigned i = 0; i < address.size(); ++i) {
        const unsigned kept = bits > i * 8 ? std::min(8u, bits - i * 8) : 0;
        address[i] = static_cast<std::uint8_t>(address[i] & ~(0xffu >> kept));
    }
    return address;
}

std::string NetworkFile::add(std::string_view network, std::string_view value) {
    const auto slash = network.find('/');
    bool four = false;
    const auto address = read(std::string(network.substr(0, slash)), four);
    if (!address) return "is no IPv4 or IPv6 address or network (192.0.2.0/24, 2001:db8::/32)";
    unsigned bits = 128;
    if (slash != std::string_view::npos) {
        const auto text = network.substr(slash + 1);
        const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), bits);
        if (wrong != std::errc() || end != text.data() + text.size() || text.empty() || bits > (four ? 32u : 128u))
            return "has a prefix length that is not 0 to " + std::string(four ? "32" : "128");
        if (four) bits += 96;
    }
    if (cut(*address, bits) != *address) return "has bits behind its prefix: is the length right?";
    if (!by_length_[bits].try_emplace(*address, std::string(value)).second) return "stands here twice";
    ++size_;
    return {};
}

std::optional<std::string_view> NetworkFile::find(std::string_view literal) const {
    bool four = false;
    const auto address = read(std::string(literal.substr(0, 64)), four);
    if (!address) return std::nullopt;
    for (const auto& [bits, networks] : by_length_)
        if (const auto found = networks.find(cut(*address, bits)); found != networks.end()) return found->second;
    return std::nullopt;
}

void read_data_file(const std::string& path, const std::string& name, std::string_view text, DataFiles& into,
                    std::vector<config::ConfigProblem>& problems) {
    const bool cidr = name.ends_with(".cidr");
    auto& map = into.maps;
    auto& networks = into.networks;
    if (cidr) networks[name];
    else map[name];
    std::uint32_t number = 0;
    std::size_t told = 0;
    while (!text.empty() && told < most_problems) {
        const auto end = text.find('\n');
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++number;
        if (line.empty() || line.front() == '#') continue;
        const auto blank = line.find_first_of(" \t");
        const auto key = line.substr(0, blank);
        const auto value = blank == std::string_view::npos ? std::string_view() : trimmed(line.substr(blank));
        std::string wrong;
        if (!clean(line)) wrong = "has control characters";
        else if (cidr) wrong = networks[name].add(key, value);
        else if (!map[name].add(key, value)) wrong = "stands here twice";
        if (wrong.empty()) continue;
        ++told;
        problems.push_back({path, number, std::string(clean(key) ? key.substr(0, 80) : "?"), wrong, false});
    }
}

}  // namespace postern::script
