#include <algorithm>
#include <array>
#include <cstring>
#include <smtp/content.hpp>

namespace postern::smtp {

void Content::fault(mail::Reply reply) {
    if (!fault_) fault_ = std::move(reply);
    header_.clear();
    piece_.clear();
}

void Content::too_long() {
    fault({550, "5.6.0", "a line of the message is longer than " + std::to_string(limits_.text_line) + " octets"});
}

bool Content::counted(std::size_t octets) {
    size_ += octets;
    if (fault_) return false;
    if (size_ <= limits_.message_size) return true;
    fault({552, "5.3.4", "the message is larger than " + std::to_string(limits_.message_size) + " octets"});
    return false;
}

// Every octet of every message is looked at: four words at a time.
static bool has_eight_bit(std::string_view text) {
    std::array<std::uint64_t, 4> words, seen{};
    for (; text.size() >= sizeof words; text.remove_prefix(sizeof words)) {
        std::memcpy(words.data(), text.data(), sizeof words);
        for (std::size_t i = 0; i < words.size(); ++i) seen[i] |= words[i];
    }
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    return ((seen[0] | seen[1] | seen[2] | seen[3]) & high_bits) != 0 ||
           std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 127; });
}

// How many octets the lines have that end with CRLF, hold no other CR or LF and are no longer than that.
static std::size_t length_of_lines(std::string_view octets, std::size_t longest, bool until_dot) {
    std::size_t used = 0;
    while (used < octets.size() && !(until_dot && octets[used] == '.')) {
        const auto end = octets.find('\n', used);
        if (end == std::string_view::npos || end == used || end - used > longest) break;
        if (octets.substr(used, end - used).find('\r') != end - 1 - used) break;
        used = end + 1;
    }
    return used;
}

std::size_t Content::plain_lines(std::string_view octets, bool until_dot) {
    if (fault_ || !header_complete_ || piece_full()) return 0;
    octets = octets.substr(0, piece_size - piece_.size());
    octets = octets.substr(0, length_of_lines(octets, limits_.text_line, until_dot));
    if (const auto nul = octets.find('\0'); nul != std::string_view::npos)
        octets = octets.substr(0, octets.rfind('\n', nul) + 1);
    if (octets.empty() || !counted(octets.size())) return octets.size();
    eight_bit_ |= has_eight_bit(octets);
    piece_.append(octets);
    return octets.size();
}

void Content::line(std::string_view text, bool crlf) {
    // What is wrong with the text is told before its size is.
    if (!fault_ && text.size() > limits_.text_line) too_long();
    if (!crlf && !normalize_) fault({550, "5.6.0", "a bare LF in the message: lines end with CRLF"});
    if (!fault_ && text.find('\r') != std::string_view::npos)
        fault({550, "5.6.0", "a bare CR in the message: lines end with CRLF"});
    if (!fault_ && text.find('\0') != std::string_view::npos) fault({550, "5.6.0", "a NUL in the message"});
    if (!counted(text.size() + 2)) return;
    const bool eight_bit = has_eight_bit(text);
    eight_bit_ |= eight_bit;
    if (!header_complete_) {
        header_line(text);
        eight_bit_header_ |= eight_bit && !header_complete_;
        return;
    }
    piece_.append(text).append("\r\n");
}

void Content::octets(std::string_view raw) {
    if (!counted(raw.size())) return;
    eight_bit_ |= has_eight_bit(raw);
    piece_.append(raw);
}

void Content::unfinished_line(std::string_view text) {
    if (takes_raw()) octets(text);
    else line(text, true);
}

static bool is_field(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                       [](unsigned char c) { return c >= 32 && c < 127; });
}

static bool is_received(std::string_view text) {
    static constexpr std::string_view name = "received:";
    return text.size() >= name.size() && std::equal(name.begin(), name.end(), text.begin(), [](char a, char b) {
               return a == (b >= 'A' && b <= 'Z' ? b + 32 : b);
           });
}

void Content::header_line(std::string_view text) {
    if (text.empty()) return finish();
    const bool continues = (text.front() == ' ' || text.front() == '\t') && !header_.empty();
    if (!continues && !is_field(text)) {
        // A body without header section: the empty line that its sender left out.
        finish();
        piece_.append(text).append("\r\n");
        return;
    }
    if (header_.size() + text.size() + 2 > limits_.header_size)
        return fault(
            {552, "5.3.4", "the header section is larger than " + std::to_string(limits_.header_size) + " octets"});
    if (is_received(text) && ++hops_ > limits_.hops) return fault({554, "5.4.6", "too many hops: the message loops"});
    header_.append(text).append("\r\n");
}

void Content::finish() {
    if (header_complete_) return;
    header_ += "\r\n";
    header_complete_ = true;
}

}  // namespace postern::smtp
