#include <catch2/catch.hpp>
#include <queue/checksum.hpp>
#include <random>
#include <string>

using namespace postern::queue;

// RFC 3720 B.4: the polynomial, bit by bit.
static std::uint32_t bit_by_bit(std::string_view octets, std::uint32_t before) {
    std::uint32_t crc = ~before;
    for (const unsigned char c : octets) {
        crc ^= c;
        for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return ~crc;
}

TEST_CASE("CRC-32C is that of RFC 3720", "[checksum]") {
    CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);
    CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
    CHECK(crc32c("123456789") == 0xe3069283u);
}

TEST_CASE("of any length, in one piece or several", "[checksum]") {
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        std::string octets(random() % 10000, '\0');
        for (auto& c : octets) c = static_cast<char>(random());
        const auto before = static_cast<std::uint32_t>(random());
        REQUIRE(crc32c(octets, before) == bit_by_bit(octets, before));
        const auto cut = random() % (octets.size() + 1);
        REQUIRE(crc32c(octets.substr(cut), crc32c(octets.substr(0, cut))) == bit_by_bit(octets, 0));
    }
}
