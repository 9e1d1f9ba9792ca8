#include <atomic>
#include <chrono>
#include <cstdio>
#include <queue/message_id.hpp>
#include <random>

namespace postern::queue {

static constexpr std::size_t digits = 18;

std::optional<MessageKey> key_of(std::string_view id) {
    if (id.size() != digits) return std::nullopt;
    MessageKey key;
    for (std::size_t i = 0; i < digits; ++i) {
        const char c = id[i];
        std::uint32_t value = 0;
        if (c >= '0' && c <= '9') value = static_cast<std::uint32_t>(c - '0');
        else if (c >= 'A' && c <= 'F') value = static_cast<std::uint32_t>(c - 'A' + 10);
        else return std::nullopt;
        if (i < 16) key.high = key.high << 4 | value;
        else key.low = key.low << 4 | value;
    }
    return key;
}

std::string id_of(const MessageKey& key) {
    char text[digits + 1];
    std::snprintf(text, sizeof text, "%016llX%02X", static_cast<unsigned long long>(key.high), key.low & 0xff);
    return text;
}

MessageIds::MessageIds() {
    std::random_device random;
    start_ = static_cast<std::uint64_t>(random()) << 20 ^ random();
}

std::string MessageIds::next() {
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    const auto count = std::atomic_ref(count_).fetch_add(1);
    char text[40];
    std::snprintf(text, sizeof text, "%011llX%07llX", static_cast<unsigned long long>(now),
                  static_cast<unsigned long long>((start_ + count) & 0xfffffff));
    return text;
}

}  // namespace postern::queue
