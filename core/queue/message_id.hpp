// The id of a message: 18 hexadecimal digits, milliseconds since 1970 and then a count that begins anywhere. It sorts
// by time. MessageKey is the same in 16 octets, for tables of a million.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace postern::queue {

struct MessageKey {
    std::uint64_t high = 0;  // the first 16 digits
    std::uint32_t low = 0;   // the last two
    auto operator<=>(const MessageKey&) const = default;
};

struct MessageKeyHash {
    std::size_t operator()(const MessageKey& key) const {
        // The last digits differ most: spread them over the word.
        return static_cast<std::size_t>((key.high ^ (std::uint64_t{key.low} << 56)) * 0x9e3779b97f4a7c15u);
    }
};

// Nothing: it is no id of a spool.
std::optional<MessageKey> key_of(std::string_view id);
std::string id_of(const MessageKey& key);

// Ids that no other process of this machine and no earlier one gives. Any thread.
class MessageIds {
public:
    MessageIds();
    std::string next();

private:
    std::uint64_t start_;
    std::uint64_t count_ = 0;
};

}  // namespace postern::queue
