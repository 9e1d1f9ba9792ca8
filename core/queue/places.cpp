#include <algorithm>
#include <queue/places.hpp>

namespace postern::queue {

std::optional<Place> Places::find(const MessageKey& key) const {
    std::lock_guard lock(mutex_);
    auto found = places_.find(key);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t Places::size() const {
    std::lock_guard lock(mutex_);
    return places_.size();
}

void Places::count(const Place& place, std::int64_t sign) {
    const auto octets = [](std::uint32_t length) { return static_cast<std::int64_t>(sizeof(RecordHeader) + length); };
    needed_[place.body_segment] += sign * octets(place.body_length);
    if (place.envelope_segment) needed_[place.envelope_segment] += sign * octets(place.envelope_length);
}

std::vector<MessageKey> Places::apply(std::vector<Change>& changes, LogPosition position) {
    std::vector<MessageKey> orphans;
    std::lock_guard lock(mutex_);
    position_ = position;
    for (auto& change : changes) {
        auto found = places_.find(change.key);
        if (change.kind == RecordKind::removal) {
            auto& oldest = refers_[change.segment];
            if (change.refers) oldest = oldest ? std::min(oldest, change.refers) : change.refers;
            if (found == places_.end()) continue;
            count(found->second, -1);
            if (found->second.in_file) orphans.push_back(change.key);
            // What the index never heard of it need not forget.
            if (found->second.indexed) changed_[change.key] = std::nullopt;
            else changed_.erase(change.key);
            places_.erase(found);
            continue;
        }
        if (change.kind == RecordKind::envelope && found == places_.end()) continue;
        auto& place = found == places_.end() ? places_[change.key] : found->second;
        if (found != places_.end()) count(place, -1);
        if (change.kind == RecordKind::message)
            place = {change.segment, change.at, change.length, 0, 0, 0, change.in_file, place.indexed};
        else {
            place.envelope_segment = change.segment;
            place.envelope_at = change.at;
            place.envelope_length = change.length;
        }
        count(place, 1);
        auto& changed = changed_[change.key];
        if (change.waiting) changed = std::move(change.waiting);
    }
    return orphans;
}

void Places::restore(const MessageKey& key, Place place, std::optional<Waiting> changed) {
    std::lock_guard lock(mutex_);
    places_[key] = place;
    count(place, 1);
    if (changed) changed_[key] = std::move(changed);
}

void Places::start_over() {
    std::lock_guard lock(mutex_);
    places_.clear();
    changed_.clear();
    needed_.clear();
    refers_.clear();
}

void Places::restore_position(LogPosition position) {
    std::lock_guard lock(mutex_);
    position_ = position;
}

void Places::forget_in_index(const MessageKey& key) {
    std::lock_guard lock(mutex_);
    changed_[key] = std::nullopt;
}

void Places::restore_refers(std::uint32_t segment, std::uint32_t oldest) {
    std::lock_guard lock(mutex_);
    auto& known = refers_[segment];
    if (oldest) known = known ? std::min(known, oldest) : oldest;
}

std::vector<IndexChange> Places::take_changes(LogPosition& position) {
    std::vector<IndexChange> changes;
    std::lock_guard lock(mutex_);
    position = position_;
    changes.reserve(changed_.size());
    for (auto& [key, waiting] : changed_) {
        auto found = places_.find(key);
        if (found == places_.end()) {
            changes.push_back({key, std::nullopt, std::nullopt});
        } else {
            found->second.indexed = true;
            changes.push_back({key, found->second, std::move(waiting)});
        }
    }
    changed_.clear();
    return changes;
}

void Places::give_back(std::vector<IndexChange> changes) {
    std::lock_guard lock(mutex_);
    for (auto& one : changes) {
        auto [at, fresh] = changed_.try_emplace(one.key, std::move(one.waiting));
        if (!fresh && !at->second) at->second = std::move(one.waiting);
    }
}

std::uint64_t Places::needed_octets(std::uint32_t segment) const {
    std::lock_guard lock(mutex_);
    auto found = needed_.find(segment);
    return found == needed_.end() ? 0 : static_cast<std::uint64_t>(found->second);
}

std::uint32_t Places::oldest_refers(std::uint32_t segment) const {
    std::lock_guard lock(mutex_);
    auto found = refers_.find(segment);
    return found == refers_.end() ? 0 : found->second;
}

std::map<std::uint32_t, std::uint32_t> Places::all_refers() const {
    std::lock_guard lock(mutex_);
    return refers_;
}

void Places::drop_segment(std::uint32_t segment) {
    std::lock_guard lock(mutex_);
    needed_.erase(segment);
    refers_.erase(segment);
}

void Places::refers_moved(std::uint32_t segment) {
    std::lock_guard lock(mutex_);
    refers_.erase(segment);
}

void Places::for_each(const std::function<void(const MessageKey&, const Place&)>& call) const {
    std::lock_guard lock(mutex_);
    for (const auto& [key, place] : places_) call(key, place);
}

}  // namespace postern::queue
