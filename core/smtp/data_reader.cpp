#include <algorithm>
#include <smtp/data_reader.hpp>

namespace postern::smtp {

mail::Reply DataReader::long_line() const {
    return {550, "5.6.0", "a line of the message is longer than " + std::to_string(limits_.text_line) + " octets"};
}

void DataReader::fault(mail::Reply reply) {
    if (!fault_) fault_ = std::move(reply);
    header_.clear();
    piece_.clear();
}

void DataReader::take(std::string& input) {
    std::size_t used = 0;
    while (!ended_ && !piece_full()) {
        const auto end = input.find('\n', used);
        if (end == std::string::npos) break;
        std::string_view text(input.data() + used, end - used);
        used = end + 1;
        const bool crlf = text.ends_with('\r');
        if (crlf) text.remove_suffix(1);
        if (std::exchange(in_long_line_, false)) {
            after_crlf_ = crlf;
            continue;
        }
        // The true end: a dot alone, between two CRLF.
        if (crlf && after_crlf_ && text == ".") {
            ended_ = true;
            break;
        }
        line(text, crlf);
        after_crlf_ = crlf;
    }
    input.erase(0, used);
    if (!ended_ && input.size() > limits_.text_line && input.find('\n') == std::string::npos) {
        fault(long_line());
        in_long_line_ = true;
        // The last octet may be the CR of a CRLF.
        input.erase(0, input.size() - 1);
    }
}

void DataReader::line(std::string_view text, bool crlf) {
    if (text.starts_with('.')) text.remove_prefix(1);
    size_ += text.size() + 2;
    if (fault_) return;
    if (text.size() > limits_.text_line) return fault(long_line());
    if (!crlf && !normalize_) return fault({550, "5.6.0", "a bare LF in the message: lines end with CRLF"});
    if (text.find('\r') != std::string_view::npos)
        return fault({550, "5.6.0", "a bare CR in the message: lines end with CRLF"});
    if (text.find('\0') != std::string_view::npos) return fault({550, "5.6.0", "a NUL in the message"});
    if (size_ > limits_.message_size)
        return fault({552, "5.3.4", "the message is larger than " + std::to_string(limits_.message_size) + " octets"});
    eight_bit_ |= std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 127; });
    if (!header_complete_) return header_line(text);
    piece_.append(text).append("\r\n");
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

void DataReader::header_line(std::string_view text) {
    if (text.empty()) return end_header();
    const bool continues = (text.front() == ' ' || text.front() == '\t') && !header_.empty();
    if (!continues && !is_field(text)) {
        // A body without header section: the empty line that its sender left out.
        end_header();
        piece_.append(text).append("\r\n");
        return;
    }
    if (header_.size() + text.size() + 2 > limits_.header_size)
        return fault(
            {552, "5.3.4", "the header section is larger than " + std::to_string(limits_.header_size) + " octets"});
    if (is_received(text) && ++hops_ > limits_.hops) return fault({554, "5.4.6", "too many hops: the message loops"});
    header_.append(text).append("\r\n");
}

void DataReader::end_header() {
    header_ += "\r\n";
    header_complete_ = true;
}

}  // namespace postern::smtp
