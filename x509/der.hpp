// A strict DER reader: views into the caller's bytes, no allocation, no recursion, one pass.
//
// Refused: indefinite, over-long and non-minimal lengths, tags of more than one octet, anything past the end. A Reader
// that failed stays failed and hands out empty elements, so a parser may read a whole structure and ask once at the
// end (`finished()`). Nothing here knows what a certificate is; next: name.hpp, certificate.hpp, crl.hpp.
#pragma once

#include <optional>
#include <postern/types.hpp>
#include <string_view>

namespace postern::x509 {

namespace tag {
inline constexpr std::uint8_t boolean = 0x01, integer = 0x02, bit_string = 0x03, octet_string = 0x04, null = 0x05,
                              oid = 0x06, enumerated = 0x0a, utf8_string = 0x0c, printable_string = 0x13,
                              teletex_string = 0x14, ia5_string = 0x16, utc_time = 0x17, generalized_time = 0x18,
                              visible_string = 0x1a, universal_string = 0x1c, bmp_string = 0x1e, sequence = 0x30,
                              set = 0x31;
constexpr std::uint8_t context(unsigned n) { return static_cast<std::uint8_t>(0x80 | n); }  // primitive [n]
constexpr std::uint8_t context_constructed(unsigned n) { return static_cast<std::uint8_t>(0xa0 | n); }
}  // namespace tag

struct Element {
    std::uint8_t tag = 0;
    BytesView content;
    BytesView whole;  // with tag and length: what is signed, hashed, compared
};

class Reader {
public:
    explicit Reader(BytesView bytes) : rest_(bytes) {}
    explicit Reader(const Element& element) : rest_(element.content) {}

    Element any();
    Element expect(std::uint8_t wanted);
    // Present with this tag, or left where it is.
    std::optional<Element> optional(std::uint8_t wanted);
    bool at_end() const { return rest_.empty(); }
    bool more() const { return !failed_ && !rest_.empty(); }
    bool failed() const { return failed_; }
    bool finished() const { return !failed_ && rest_.empty(); }
    void fail() {
        failed_ = true;
        rest_ = {};
    }

private:
    bool read_length(std::size_t& position, std::size_t& length) const;

    BytesView rest_;
    bool failed_ = false;
};

struct BitString {
    BytesView bytes;
    unsigned unused = 0;
    bool bit(unsigned n) const {
        return n / 8 < bytes.size() && n < bytes.size() * 8 - unused && (bytes[n / 8] & (0x80u >> n % 8)) != 0;
    }
};

// Each of these is empty where the content is not DER for its type.
std::optional<bool> read_boolean(const Element&);
std::optional<BytesView> read_integer(const Element&);  // two's complement, minimal, not empty
std::optional<std::uint64_t> read_unsigned(const Element&);
std::optional<BitString> read_bit_string(const Element&);
std::optional<Time> read_time(const Element&);  // UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 writes them
bool is_oid(const Element&);

inline std::string_view text(BytesView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline BytesView bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
bool equal(BytesView, BytesView);
std::string dotted(BytesView oid);  // "2.5.29.17", or "?" for nonsense

}  // namespace postern::x509
