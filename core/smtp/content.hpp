// What a message consists of, however it was framed (DATA or BDAT): header section apart from the body, lines checked,
// limits held. The first fault stands until the end is read; from then on octets are dropped.
#pragma once

#include <mail/reply.hpp>
#include <optional>
#include <smtp/server_session.hpp>
#include <string>
#include <string_view>

namespace postern::smtp {

class Content {
public:
    Content(const ServerLimits& limits, bool normalize, bool binary)
        : limits_(limits), normalize_(normalize), binary_(binary) {}

    // One line without its end; `crlf`: it ended with CRLF, not with a bare LF.
    void line(std::string_view text, bool crlf);
    // Of a body: the whole lines that `octets` begins with, as long as each is one to be passed on as it stands; how
    // many octets were taken. `until_dot`: not a line that begins with one.
    std::size_t plain_lines(std::string_view octets, bool until_dot);
    // BODY=BINARYMIME, behind the header section: any octet (RFC 3030 3).
    void octets(std::string_view raw);
    void unfinished_line(std::string_view text);  // the last one, which its sender did not end
    void too_long();
    void finish();  // the end was seen

    bool header_complete() const { return header_complete_; }
    bool takes_raw() const { return binary_ && header_complete_; }
    std::string& header() { return header_; }
    std::string& piece() { return piece_; }  // body octets not yet handed on
    std::size_t held() const { return header_.capacity() + piece_.capacity(); }
    bool piece_full() const { return piece_.size() >= piece_size; }
    bool eight_bit() const { return eight_bit_; }
    bool eight_bit_header() const { return eight_bit_header_; }
    std::size_t line_limit() const { return limits_.text_line; }

    void fault(mail::Reply reply);
    const std::optional<mail::Reply>& fault() const { return fault_; }

private:
    static constexpr std::size_t piece_size = 64u << 10;
    void header_line(std::string_view text);
    bool counted(std::size_t octets);

    const ServerLimits& limits_;
    bool normalize_, binary_;
    std::string header_, piece_;
    std::uint64_t size_ = 0;
    std::size_t hops_ = 0;
    bool header_complete_ = false, eight_bit_ = false, eight_bit_header_ = false;
    std::optional<mail::Reply> fault_;
};

}  // namespace postern::smtp
