#include <algorithm>
#include <net/warm_connections.hpp>

namespace postern::net {

// Out of the 500 deliveries under way at most: what stands idle must not keep others from going.
static constexpr std::size_t most_standing = 100;

std::optional<WarmConnections::Ticket> WarmConnections::enter(const queue::Destination& destination,
                                                              std::function<void()> wake) {
    std::lock_guard lock(mutex_);
    if (ended_ || where_.size() >= most_standing) return std::nullopt;
    standing_[destination].push_back({++last_, std::move(wake)});
    where_.emplace(last_, destination);
    return last_;
}

bool WarmConnections::leave(Ticket ticket) {
    std::lock_guard lock(mutex_);
    const auto found = where_.find(ticket);
    if (found == where_.end()) return false;
    auto& all = standing_[found->second];
    std::erase_if(all, [&](const Standing& one) { return one.ticket == ticket; });
    if (all.empty()) standing_.erase(found->second);
    where_.erase(found);
    return true;
}

std::size_t WarmConnections::idle(const queue::Destination& destination) const {
    std::lock_guard lock(mutex_);
    const auto found = standing_.find(destination);
    return found == standing_.end() ? 0 : found->second.size();
}

bool WarmConnections::wake(const queue::Destination& destination) {
    std::function<void()> call;
    {
        std::lock_guard lock(mutex_);
        const auto found = standing_.find(destination);
        if (found == standing_.end()) return false;
        call = std::move(found->second.back().wake);
        where_.erase(found->second.back().ticket);
        found->second.pop_back();
        if (found->second.empty()) standing_.erase(found);
    }
    call();
    return true;
}

bool WarmConnections::ended() const {
    std::lock_guard lock(mutex_);
    return ended_;
}

void WarmConnections::end() {
    std::map<queue::Destination, std::vector<Standing>> all;
    {
        std::lock_guard lock(mutex_);
        ended_ = true;
        all.swap(standing_);
        where_.clear();
    }
    for (auto& [destination, standing] : all)
        for (auto& one : standing) one.wake();
}

}  // namespace postern::net
