// Lengths, integers, times: each refuses what has a shorter or another DER form. See der.hpp.
#include <algorithm>
#include <x509/der.hpp>

namespace postern::x509 {

bool Reader::read_length(std::size_t& position, std::size_t& length) const {
    if (position >= rest_.size()) return false;
    const std::uint8_t first = rest_[position++];
    if (first < 0x80) {
        length = first;
        return true;
    }
    // 0x80 is the indefinite form; four octets reach 4 GB, far beyond every limit of the callers.
    const unsigned count = first & 0x7f;
    if (count == 0 || count > 4 || rest_.size() - position < count) return false;
    if (rest_[position] == 0) return false;
    length = 0;
    for (unsigned i = 0; i < count; ++i) length = length << 8 | rest_[position++];
    return length >= 0x80;
}

Element Reader::any() {
    std::size_t position = 1, length = 0;
    if (failed_ || rest_.empty() || (rest_[0] & 0x1f) == 0x1f || !read_length(position, length) ||
        rest_.size() - position < length) {
        fail();
        return {};
    }
    Element element{rest_[0], rest_.subspan(position, length), rest_.first(position + length)};
    rest_ = rest_.subspan(position + length);
    return element;
}

Element Reader::expect(std::uint8_t wanted) {
    if (rest_.empty() || rest_[0] != wanted) {
        fail();
        return {};
    }
    return any();
}

std::optional<Element> Reader::optional(std::uint8_t wanted) {
    if (failed_ || rest_.empty() || rest_[0] != wanted) return std::nullopt;
    Element element = any();
    if (failed_) return std::nullopt;
    return element;
}

std::optional<bool> read_boolean(const Element& element) {
    if (element.content.size() != 1) return std::nullopt;
    if (element.content[0] == 0xff) return true;
    if (element.content[0] == 0x00) return false;
    return std::nullopt;
}

std::optional<BytesView> read_integer(const Element& element) {
    const auto content = element.content;
    if (content.empty()) return std::nullopt;
    if (content.size() > 1 && ((content[0] == 0x00 && content[1] < 0x80) || (content[0] == 0xff && content[1] >= 0x80)))
        return std::nullopt;
    return content;
}

std::optional<std::uint64_t> read_unsigned(const Element& element) {
    const auto content = read_integer(element);
    if (!content || (*content)[0] >= 0x80) return std::nullopt;
    if (content->size() > 9 || (content->size() == 9 && (*content)[0] != 0)) return std::nullopt;
    std::uint64_t value = 0;
    for (auto octet : *content) value = value << 8 | octet;
    return value;
}

std::optional<BitString> read_bit_string(const Element& element) {
    if (element.content.empty() || element.content[0] > 7) return std::nullopt;
    BitString bits{element.content.subspan(1), element.content[0]};
    if (bits.bytes.empty()) return bits.unused == 0 ? std::optional(bits) : std::nullopt;
    if (bits.bytes.back() & ((1u << bits.unused) - 1)) return std::nullopt;  // DER: unused bits are zero
    return bits;
}

namespace {
// Two digits at `position`, or -1.
int two_digits(BytesView content, std::size_t position) {
    const int high = content[position] - '0', low = content[position + 1] - '0';
    return high < 0 || high > 9 || low < 0 || low > 9 ? -1 : high * 10 + low;
}
}  // namespace

std::optional<Time> read_time(const Element& element) {
    const auto content = element.content;
    const bool general = element.tag == tag::generalized_time;
    if (!general && element.tag != tag::utc_time) return std::nullopt;
    if (content.size() != (general ? 15u : 13u) || content.back() != 'Z') return std::nullopt;
    int fields[7] = {};
    const std::size_t count = general ? 7 : 6;
    for (std::size_t i = 0; i < count; ++i)
        if ((fields[i + (general ? 0 : 1)] = two_digits(content, 2 * i)) < 0) return std::nullopt;
    const int year = general ? fields[0] * 100 + fields[1] : fields[1] + (fields[1] < 50 ? 2000 : 1900);
    const std::chrono::year_month_day day{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(fields[2])),
                                          std::chrono::day(static_cast<unsigned>(fields[3]))};
    if (!day.ok() || fields[4] > 23 || fields[5] > 59 || fields[6] > 59) return std::nullopt;
    // system_clock counts nanoseconds and ends in 2262: 99991231235959Z (RFC 5280 4.1.2.5) is held at that end.
    if (year > 2260) return Time::max();
    if (year < 1700) return Time::min();
    return std::chrono::sys_days(day) + std::chrono::hours(fields[4]) + std::chrono::minutes(fields[5]) +
           std::chrono::seconds(fields[6]);
}

bool is_oid(const Element& element) {
    const auto content = element.content;
    if (content.empty() || content.size() > 64 || content.back() >= 0x80) return false;
    bool start = true;
    for (auto octet : content) {
        if (start && octet == 0x80) return false;  // a leading zero of a sub-identifier
        start = octet < 0x80;
    }
    return true;
}

bool equal(BytesView left, BytesView right) { return std::ranges::equal(left, right); }

std::string dotted(BytesView oid) {
    std::string text;
    std::uint64_t value = 0;
    for (auto octet : oid) {
        if (value >> 56) return "?";
        value = value << 7 | (octet & 0x7f);
        if (octet >= 0x80) continue;
        if (text.empty()) {
            const auto root = std::min<std::uint64_t>(value / 40, 2);
            text = std::to_string(root) + '.' + std::to_string(value - 40 * root);
        } else {
            text += '.' + std::to_string(value);
        }
        value = 0;
    }
    return text.empty() ? "?" : text;
}

}  // namespace postern::x509
