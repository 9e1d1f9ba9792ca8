// The octets behind BDAT (RFC 3030 2): counted, not searched, so nothing in them ends the message or becomes a command.
// Lines may run across chunks; what they say is content.hpp's. A refused chunk is counted off all the same.
#pragma once

#include <smtp/content.hpp>

namespace postern::smtp {

class ChunkReader {
public:
    void begin(std::uint64_t size, bool last) {
        left_ = size;
        last_ = last;
    }
    // Takes what it can from `input`; stops when a piece is full. True: this chunk is whole.
    bool take(std::string& input, Content& content);
    bool skip(std::string& input);  // the same for a chunk that nobody wants
    bool last() const { return last_; }
    std::size_t held() const { return line_.size(); }

private:
    void take_lines(std::string_view octets, Content& content);

    std::uint64_t left_ = 0;
    bool last_ = false, in_long_line_ = false;
    std::string line_;  // begun, its end not yet seen
};

}  // namespace postern::smtp
