// The octets between 354 and CRLF.CRLF (RFC 5321 4.1.1.4, 4.5.2): strict line ends, dots unstuffed. Only CRLF.CRLF ends
// the data: a bare LF never does (SMTP smuggling), it is a fault, and the reading goes on to the true end so that
// nothing of the message is taken for commands. What the lines say is content.hpp's.
#pragma once

#include <smtp/content.hpp>

namespace postern::smtp {

class DataReader {
public:
    // Takes what it can from `input` (whole lines); stops when a piece is full. True: the end was seen.
    bool take(std::string& input, Content& content);

private:
    bool after_crlf_ = true, in_long_line_ = false;
};

}  // namespace postern::smtp
