#include <array>
#include <cstring>
#include <queue/checksum.hpp>

namespace postern::queue {

namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
        table[i] = value;
    }
    return table;
}

std::uint32_t by_table(std::string_view octets, std::uint32_t crc) {
    static constexpr auto table = make_table();
    for (unsigned char c : octets) crc = crc >> 8 ^ table[(crc ^ c) & 0xff];
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view octets, std::uint32_t crc) {
    std::uint64_t wide = crc;
    for (; octets.size() >= 8; octets.remove_prefix(8)) {
        std::uint64_t word;
        std::memcpy(&word, octets.data(), 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    auto narrow = static_cast<std::uint32_t>(wide);
    for (unsigned char c : octets) narrow = __builtin_ia32_crc32qi(narrow, c);
    return narrow;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view octets, std::uint32_t before) {
#ifdef __x86_64__
    static const bool has_instruction = __builtin_cpu_supports("sse4.2");
    if (has_instruction) return ~by_instruction(octets, ~before);
#endif
    return ~by_table(octets, ~before);
}

}  // namespace postern::queue
