// What a server answers, in pieces.
#include <smtp/reply_reader.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    postern::smtp::ReplyReader reader(100, 64 * 1024);
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t piece = data[0] + 1u;
    while (!rest.empty()) {
        reader.feed(rest.substr(0, piece));
        rest.remove_prefix(std::min(piece, rest.size()));
        while (reader.next()) {}
    }
    return 0;
}
