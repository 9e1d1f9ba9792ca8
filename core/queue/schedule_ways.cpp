// Ways: below each a heap of what waits for it, the earliest due on top. What no longer counts is dropped when it comes
// up, so that a change costs no search.
#include <algorithm>
#include <queue/schedule.hpp>
#include <tuple>

namespace postern::queue {

static std::size_t hash_of(std::size_t seed, const std::string& text) {
    return seed * 0x9e3779b97f4a7c15u + std::hash<std::string>()(text);
}

static constexpr std::uint32_t last_version = 0xffffff;

std::size_t Schedule::WayHash::operator()(const Waiting::Due& way) const {
    return hash_of(hash_of(hash_of(0, way.domain), way.requirement), way.route);
}

bool Schedule::SameWay::operator()(const Waiting::Due& one, const Waiting::Due& other) const {
    return std::tie(one.domain, one.requirement, one.route) == std::tie(other.domain, other.requirement, other.route);
}

std::size_t Schedule::DestinationHash::operator()(const Destination& destination) const {
    return hash_of(hash_of(hash_of(0, destination.domain), destination.requirement), destination.route);
}

Schedule::Way& Schedule::way_for(const Waiting::Due& due) {
    auto& way = ways_[due];
    if (!way) {
        way = std::make_unique<Way>();
        way->key = due;
        lead(*way);
    }
    return *way;
}

void Schedule::let_go(Way& way) {
    if (way.entries > 0) --way.entries;
    if (way.entries > 0 || top(way)) return;
    leave(way);
    ways_.erase(ways_.find(way.key));
}

void Schedule::push(Way& way, const MessageKey& key, std::uint32_t due, std::uint32_t version) {
    way.heap.push_back({key.high, due, key.low & 0xff, version & last_version});
    std::push_heap(way.heap.begin(), way.heap.end());
}

void Schedule::push(Entry& entry, const MessageKey& key, Message& message, std::uint32_t due) {
    entry.version = message.items == 0 ? 0 : message.versions = message.versions % last_version + 1;
    entry.due = due;
    ++message.items;
    push(*entry.way, key, due, entry.version);
}

bool Schedule::counts(const Item& item, const Way& way) const {
    const auto found = messages_.find(item.key());
    if (found == messages_.end()) return item.version == 0;
    const auto& message = found->second;
    return !message.gone && !message.held && std::ranges::any_of(message.entries, [&](const Entry& entry) {
        return entry.way == &way && entry.version == item.version && entry.due != no_item && !entry.claim;
    });
}

void Schedule::pop(Way& way) {
    const auto key = way.heap.front().key();
    std::pop_heap(way.heap.begin(), way.heap.end());
    way.heap.pop_back();
    const auto found = messages_.find(key);
    if (found == messages_.end()) return;
    auto& message = found->second;
    if (message.items > 0) --message.items;
    if (message.gone && message.items == 0) messages_.erase(found);
}

// The earliest that still counts; others are dropped on the way.
const Schedule::Item* Schedule::top(Way& way) {
    while (!way.heap.empty()) {
        if (counts(way.heap.front(), way)) return &way.heap.front();
        pop(way);
    }
    if (way.heap.capacity() > 1024) way.heap.shrink_to_fit();
    return nullptr;
}

}  // namespace postern::queue
