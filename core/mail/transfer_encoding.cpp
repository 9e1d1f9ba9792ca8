#include <mail/base64.hpp>
#include <mail/transfer_encoding.hpp>

namespace postern::mail {

static constexpr std::size_t longest_line = 76, octets_a_line = 57;

void Encoder::room_for(std::size_t octets) {
    // One column stays for the "=" of a soft line break.
    if (column_ + octets < longest_line) return;
    *out_ += "=\r\n";
    column_ = 0;
}

void Encoder::quoted(char c, bool at_line_end) {
    static constexpr char hex[] = "0123456789ABCDEF";
    const auto octet = static_cast<unsigned char>(c);
    const bool blank = c == ' ' || c == '\t';
    const bool plain = (octet > 32 && octet < 127 && c != '=') || (blank && !at_line_end);
    room_for(plain ? 1 : 3);
    column_ += plain ? 1 : 3;
    if (plain) *out_ += c;
    else (*out_ += '=') += {hex[octet >> 4], hex[octet & 15]};
}

void Encoder::encoded_line() {
    if (line_written_) *out_ += "\r\n";
    append_base64(*out_, std::string_view(held_).substr(0, octets_a_line));
    held_.erase(0, octets_a_line);
    line_written_ = true;
}

void Encoder::octets(std::string_view text) {
    if (encoding_ == Encoding::none) {
        *out_ += text;
    } else if (encoding_ == Encoding::base64) {
        while (!text.empty()) {
            const auto taken = text.substr(0, octets_a_line - held_.size());
            held_ += taken;
            text.remove_prefix(taken.size());
            if (held_.size() == octets_a_line) encoded_line();
        }
    } else {
        for (const char c : text) {
            for (const char blank : held_) quoted(blank, false);
            held_.clear();
            if (c == ' ' || c == '\t') held_ = c;
            else quoted(c, false);
        }
    }
}

void Encoder::line_end() {
    if (encoding_ == Encoding::base64) return octets("\r\n");
    finish();
    *out_ += "\r\n";
    column_ = 0;
}

void Encoder::finish() {
    if (encoding_ == Encoding::base64) {
        if (!held_.empty()) encoded_line();
    } else {
        for (const char blank : held_) quoted(blank, true);
        held_.clear();
    }
}

}  // namespace postern::mail
