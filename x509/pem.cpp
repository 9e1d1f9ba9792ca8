// PEM blocks and their base64 (RFC 7468). See pem.hpp.
#include <x509/der.hpp>
#include <x509/pem.hpp>

namespace postern::x509 {
namespace {

int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

std::optional<Bytes> decode_base64(std::string_view body) {
    Bytes out;
    std::uint32_t group = 0;
    unsigned count = 0, padding = 0;
    for (char c : body) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        if (c == '=') {
            ++padding;
            continue;
        }
        const int value = base64_value(c);
        if (value < 0 || padding != 0) return std::nullopt;
        group = group << 6 | static_cast<std::uint32_t>(value);
        if (++count % 4 == 0)
            for (int shift = 16; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(group >> shift));
    }
    if (padding > 2 || (count + padding) % 4 != 0) return std::nullopt;
    if (padding == 1) group <<= 6;
    if (padding == 2) group <<= 12;
    for (unsigned i = 0; padding != 0 && i < 3 - padding; ++i)
        out.push_back(static_cast<std::uint8_t>(group >> (16 - 8 * i)));
    return out;
}

Failure unreadable(std::string text) { return {"plugin-failed", std::move(text)}; }

}  // namespace

Outcome<std::vector<Bytes>> read_blocks(BytesView contents, std::string_view label) {
    if (!contents.empty() && contents[0] == tag::sequence) {
        Reader reader(contents);
        const auto element = reader.any();
        if (!reader.finished()) return unreadable("neither PEM nor one DER structure");
        return std::vector<Bytes>{Bytes(element.whole.begin(), element.whole.end())};
    }
    const std::string begin = "-----BEGIN " + std::string(label) + "-----";
    const std::string end = "-----END " + std::string(label) + "-----";
    std::vector<Bytes> blocks;
    const auto all = text(contents);
    for (auto at = all.find(begin); at != std::string_view::npos; at = all.find(begin, at)) {
        at += begin.size();
        const auto stop = all.find(end, at);
        const auto number = std::to_string(blocks.size() + 1);
        if (stop == std::string_view::npos) return unreadable("PEM block " + number + " has no end");
        auto der = decode_base64(all.substr(at, stop - at));
        if (!der || der->empty()) return unreadable("PEM block " + number + " is not base64");
        blocks.push_back(std::move(*der));
        at = stop + end.size();
    }
    return blocks;
}

}  // namespace postern::x509
