#include <smtp/data_reader.hpp>
#include <utility>

namespace postern::smtp {

bool DataReader::take(std::string& input, Content& content) {
    std::size_t used = 0;
    bool ended = false;
    while (!content.piece_full()) {
        if (after_crlf_ && !in_long_line_) used += content.plain_lines(std::string_view(input).substr(used), true);
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
        ended = crlf && after_crlf_ && text == ".";
        if (ended) break;
        if (text.starts_with('.')) text.remove_prefix(1);
        content.line(text, crlf);
        after_crlf_ = crlf;
    }
    input.erase(0, used);
    if (!ended && input.size() > content.line_limit() && input.find('\n') == std::string::npos) {
        content.too_long();
        in_long_line_ = true;
        // The last octet may be the CR of a CRLF.
        input.erase(0, input.size() - 1);
    }
    return ended;
}

}  // namespace postern::smtp
