// The octets between 354 and CRLF.CRLF (RFC 5321 4.1.1.4, 4.5.2): strict line ends, dots unstuffed, header section
// apart from the body. Only CRLF.CRLF ends the data: a bare LF never does (SMTP smuggling), it is a fault, and the
// reading goes on to the true end so that nothing of the message is taken for commands.
#pragma once

#include <mail/reply.hpp>
#include <optional>
#include <smtp/server_session.hpp>
#include <string>
#include <string_view>

namespace postern::smtp {

class DataReader {
public:
    DataReader(const ServerLimits& limits, bool normalize) : limits_(limits), normalize_(normalize) {}

    // Takes what it can from `input` (whole lines); stops when a piece is full or the end was seen.
    void take(std::string& input);

    bool ended() const { return ended_; }
    bool header_complete() const { return header_complete_; }
    std::string& header() { return header_; }
    std::string& piece() { return piece_; }  // body octets not yet handed on
    bool piece_full() const { return piece_.size() >= piece_size; }
    bool eight_bit() const { return eight_bit_; }
    void finish_header() { end_header(); }  // the message ended within its header section

    // The first fault answers at the end; from then on octets are dropped.
    void fault(mail::Reply reply);
    const std::optional<mail::Reply>& fault() const { return fault_; }

private:
    static constexpr std::size_t piece_size = 64u << 10;
    void line(std::string_view text, bool crlf);
    void header_line(std::string_view text);
    void end_header();
    mail::Reply long_line() const;

    const ServerLimits& limits_;
    bool normalize_;
    std::string header_, piece_;
    std::uint64_t size_ = 0;
    std::size_t hops_ = 0;
    bool header_complete_ = false, ended_ = false, after_crlf_ = true, eight_bit_ = false, in_long_line_ = false;
    std::optional<mail::Reply> fault_;
};

}  // namespace postern::smtp
