// Replies of a server, taken apart as they come (RFC 5321 4.2): bounded in lines and octets, strict about codes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::smtp {

struct PeerReply {
    std::uint16_t code = 0;
    std::string enhanced;            // of the last line, where its class agrees with the code
    std::vector<std::string> lines;  // text behind the code

    int kind() const { return code / 100; }
    std::string text() const;  // one line, controls escaped by who prints it
};

class ReplyReader {
public:
    ReplyReader(std::size_t most_lines, std::size_t most_octets) : most_lines_(most_lines), most_octets_(most_octets) {}
    void feed(std::string_view octets) { input_ += octets; }
    // A whole reply, or nothing yet; after a fault never again anything.
    std::optional<PeerReply> next();
    const std::string& fault() const { return fault_; }  // empty, or what was wrong
    bool has_more() const { return !input_.empty(); }
    void drop() { input_.clear(); }

private:
    bool take(std::string_view line, bool& last);

    std::size_t most_lines_, most_octets_;
    std::string input_, fault_;
    std::size_t octets_ = 0;
    PeerReply building_;
};

}  // namespace postern::smtp
