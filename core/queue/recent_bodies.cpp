#include <queue/recent_bodies.hpp>

namespace postern::queue {

void RecentBodies::keep(const MessageKey& key, std::string body) {
    if (body.size() > most_octets_ / 4) return;
    std::lock_guard lock(mutex_);
    drop(key);
    octets_ += body.size();
    bodies_[key] = std::make_shared<const std::string>(std::move(body));
    oldest_first_.push_back(key);
    // One that stays must not keep the places of all that went after it.
    if (oldest_first_.size() > 2 * bodies_.size() + 1024)
        std::erase_if(oldest_first_, [this](const MessageKey& one) { return !bodies_.contains(one); });
    while (octets_ > most_octets_) {
        drop(oldest_first_.front());
        oldest_first_.pop_front();
    }
}

void RecentBodies::forget(const MessageKey& key) {
    std::lock_guard lock(mutex_);
    drop(key);
    while (!oldest_first_.empty() && !bodies_.contains(oldest_first_.front())) oldest_first_.pop_front();
}

RecentBodies::Body RecentBodies::find(const MessageKey& key) const {
    std::lock_guard lock(mutex_);
    const auto found = bodies_.find(key);
    return found == bodies_.end() ? nullptr : found->second;
}

void RecentBodies::drop(const MessageKey& key) {
    const auto found = bodies_.find(key);
    if (found == bodies_.end()) return;
    octets_ -= found->second->size();
    bodies_.erase(found);
}

}  // namespace postern::queue
