#include <algorithm>
#include <smtp/chunk_reader.hpp>
#include <utility>

namespace postern::smtp {

// Taken in steps, so that a piece stays near its size and a buffer that came full is not copied for every line.
static constexpr std::size_t step = 16u << 10;

bool ChunkReader::take(std::string& input, Content& content) {
    std::size_t used = 0;
    while (left_ > 0 && used < input.size() && !content.piece_full()) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>({left_, input.size() - used, step}));
        take_lines(std::string_view(input).substr(used, count), content);
        used += count;
        left_ -= count;
    }
    input.erase(0, used);
    if (left_ > 0) return false;
    if (last_) {
        if (!line_.empty() && !in_long_line_) content.unfinished_line(std::exchange(line_, {}));
        content.finish();
    }
    return true;
}

void ChunkReader::take_lines(std::string_view octets, Content& content) {
    while (!octets.empty()) {
        if (content.takes_raw()) {
            if (!line_.empty()) content.octets(std::exchange(line_, {}));
            return content.octets(octets);
        }
        if (line_.empty() && !in_long_line_) octets.remove_prefix(content.plain_lines(octets, false));
        const auto end = octets.find('\n');
        if (!in_long_line_) line_ += octets.substr(0, end);
        if (line_.size() > content.line_limit() + 1) {
            content.too_long();
            in_long_line_ = true;
            line_.clear();
        }
        if (end == std::string_view::npos) return;
        octets.remove_prefix(end + 1);
        if (std::exchange(in_long_line_, false)) continue;
        auto line = std::exchange(line_, {});
        const bool crlf = line.ends_with('\r');
        if (crlf) line.pop_back();
        content.line(line, crlf);
    }
}

bool ChunkReader::skip(std::string& input) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
    input.erase(0, count);
    left_ -= count;
    return left_ == 0;
}

}  // namespace postern::smtp
