// The two encodings that make 7-bit lines of any octets (RFC 2045 6.7, 6.8), written as they come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::mail {

enum class Encoding : std::uint8_t { none, quoted_printable, base64 };

// Puts what it encodes at the end of `out`. A line end is told apart from octets, for text keeps its lines.
class Encoder {
public:
    Encoder(Encoding encoding, std::string& out) : encoding_(encoding), out_(&out) {}
    void octets(std::string_view text);
    void line_end();
    void finish();  // the last line stays without its end

private:
    void quoted(char c, bool at_line_end);
    void room_for(std::size_t octets);
    void encoded_line();

    Encoding encoding_;
    std::string* out_;
    std::string held_;  // base64: of the line under way; quoted-printable: a blank that may end its line
    std::size_t column_ = 0;
    bool line_written_ = false;
};

}  // namespace postern::mail
