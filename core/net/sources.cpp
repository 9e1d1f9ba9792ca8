#include <algorithm>
#include <net/sources.hpp>

namespace postern::net {

// What strangers can fill must not grow.
static constexpr std::size_t remembered_sources = 10000;

std::string source_of(const asio::ip::address& address) {
    if (address.is_v4()) return address.to_string();
    auto bytes = address.to_v6().to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return asio::ip::address_v6(bytes).to_string();
}

// Those whose minute is over; if all are busy, whoever has been counted longest.
void SourceRates::make_room(Deadline now) {
    std::erase_if(minutes_, [now](const auto& one) { return now - one.second.began >= std::chrono::minutes(1); });
    if (minutes_.size() < remembered_sources) return;
    const auto oldest = std::min_element(minutes_.begin(), minutes_.end(),
                                         [](auto& a, auto& b) { return a.second.began < b.second.began; });
    minutes_.erase(oldest);
}

bool SourceRates::take(const std::string& source, std::size_t most, Deadline now) {
    std::lock_guard lock(mutex_);
    auto found = minutes_.find(source);
    if (found == minutes_.end()) {
        if (minutes_.size() >= remembered_sources) make_room(now);
        found = minutes_.emplace(source, Minute{now, 0}).first;
    }
    auto& minute = found->second;
    if (now - minute.began >= std::chrono::minutes(1)) minute = {now, 0};
    if (minute.messages >= most) return false;
    ++minute.messages;
    return true;
}

std::size_t SourceRates::size() const {
    std::lock_guard lock(mutex_);
    return minutes_.size();
}

}  // namespace postern::net
