#include <algorithm>
#include <queue/log_index.hpp>
#include <queue/places.hpp>
#include <utility>

namespace postern::queue {

void Places::look_in(const LogIndex* index) {
    std::lock_guard lock(mutex_);
    index_ = index;
}

std::optional<std::optional<Place>> Places::remembered(const MessageKey& key) const {
    if (const auto changed = changed_.find(key); changed != changed_.end()) return changed->second.place;
    if (const auto written = being_written_.find(key); written != being_written_.end()) return written->second;
    return std::nullopt;
}

static Problem not_sure(const MessageKey& key) {
    return {"spool-failing", "the index could not be read when " + id_of(key) + " changed; it is made up for soon"};
}

// With the mutex.
Result<std::optional<Place>> Places::found(const MessageKey& key) const {
    if (unsure_.contains(key)) return not_sure(key);
    if (const auto known = remembered(key)) return *known;
    return index_ ? index_->place(key) : std::optional<Place>();
}

Result<std::optional<Place>> Places::find(const MessageKey& key) const {
    const LogIndex* index = nullptr;
    {
        std::lock_guard lock(mutex_);
        if (unsure_.contains(key)) return not_sure(key);
        if (const auto known = remembered(key)) return *known;
        index = index_;
    }
    // What is forgotten here meanwhile is in the index by then.
    return index ? index->place(key) : std::optional<Place>();
}

Result<std::vector<MessageKey>> Places::keys() const {
    std::vector<MessageKey> all;
    std::lock_guard lock(mutex_);
    if (index_) {
        auto take = [&](const MessageKey& key) {
            if (!remembered(key)) all.push_back(key);
        };
        if (auto read = index_->for_each_key(take); !read) return read.error();
    }
    for (const auto& [key, place] : being_written_)
        if (place && !changed_.contains(key)) all.push_back(key);
    for (const auto& [key, changed] : changed_)
        if (changed.place) all.push_back(key);
    std::ranges::sort(all);
    return all;
}

void Places::count(const Place& place, std::int64_t sign) {
    const auto octets = [](std::uint32_t length) { return static_cast<std::int64_t>(sizeof(RecordHeader) + length); };
    needed_[place.body_segment] += sign * octets(place.body_length);
    if (place.envelope_segment) needed_[place.envelope_segment] += sign * octets(place.envelope_length);
}

std::vector<MessageKey> Places::apply(std::vector<Change>& changes, LogPosition position) {
    std::lock_guard lock(mutex_);
    const auto began = std::exchange(position_, position);
    for (auto& change : changes)
        if (!apply_one(change)) put_by(std::move(change), began);
    return std::exchange(orphans_, {});
}

void Places::put_by(Change change, LogPosition before) {
    if (put_by_.empty()) unsure_since_ = before;
    unsure_.insert(change.key);
    put_by_.push_back(std::move(change));
}

// All that was put by is tried: what cannot be read of one message, an index that holds it damaged, is not in the way
// of the others.
void Places::catch_up() {
    if (put_by_.empty()) return;
    auto changes = std::exchange(put_by_, {});
    unsure_.clear();
    for (auto& change : changes)
        if (!apply_one(change)) put_by(std::move(change), unsure_since_);
}

// False: the index would have to be asked, and cannot be read.
bool Places::apply_one(Change& change) {
    if (change.kind == RecordKind::removal && change.refers) {
        auto& oldest = refers_[change.segment];
        oldest = oldest ? std::min(oldest, change.refers) : change.refers;
    }
    // Nobody knows of one that has just come in: the index need not be asked.
    const bool fresh = change.kind == RecordKind::message && change.waiting;
    const auto looked = fresh ? std::optional<Place>() : found(change.key);
    if (!looked) return false;
    const auto before = *looked;
    if (change.kind == RecordKind::removal) {
        if (!before) return true;
        count(*before, -1);
        if (before->in_file) orphans_.push_back(change.key);
        // What the index never heard of it need not forget.
        if (before->indexed) changed_[change.key] = {};
        else changed_.erase(change.key);
        return true;
    }
    if (!before && !fresh) return true;
    auto place = before.value_or(Place{});
    if (before) count(place, -1);
    if (change.kind == RecordKind::message) {
        place = {change.segment, change.at, change.length, 0, 0, 0, change.in_file, place.indexed};
    } else {
        place.envelope_segment = change.segment;
        place.envelope_at = change.at;
        place.envelope_length = change.length;
    }
    count(place, 1);
    auto& changed = changed_[change.key];
    changed.place = place;
    if (change.waiting) changed.waiting = std::move(change.waiting);
    return true;
}

void Places::restore_indexed(const Place& place) {
    std::lock_guard lock(mutex_);
    count(place, 1);
}

void Places::restore_changed(const MessageKey& key, Place place, Waiting waiting) {
    std::lock_guard lock(mutex_);
    count(place, 1);
    changed_[key] = {place, std::move(waiting)};
}

void Places::start_over() {
    std::lock_guard lock(mutex_);
    changed_.clear();
    being_written_.clear();
    put_by_.clear();
    unsure_.clear();
    needed_.clear();
    refers_.clear();
}

void Places::restore_position(LogPosition position) {
    std::lock_guard lock(mutex_);
    position_ = position;
}

void Places::forget_in_index(const MessageKey& key) {
    std::lock_guard lock(mutex_);
    changed_[key] = {};
}

void Places::restore_refers(std::uint32_t segment, std::uint32_t oldest) {
    std::lock_guard lock(mutex_);
    auto& known = refers_[segment];
    if (oldest) known = known ? std::min(known, oldest) : oldest;
}

std::vector<IndexChange> Places::take_changes(LogPosition& position) {
    std::vector<IndexChange> changes;
    {
        std::lock_guard lock(mutex_);
        catch_up();
        position = put_by_.empty() ? position_ : unsure_since_;
        changes.reserve(changed_.size());
        for (auto& [key, changed] : changed_) {
            if (changed.place) changed.place->indexed = true;
            being_written_[key] = changed.place;
            changes.push_back({key, changed.place, std::move(changed.waiting)});
        }
        changed_.clear();
    }
    std::ranges::sort(changes, {}, &IndexChange::key);  // neighbours share the index's pages
    return changes;
}

void Places::written() {
    std::lock_guard lock(mutex_);
    being_written_.clear();
}

void Places::give_back(std::vector<IndexChange> changes) {
    std::lock_guard lock(mutex_);
    for (auto& one : changes) {
        auto [at, absent] = changed_.try_emplace(one.key, Changed{one.place, {}});
        if (at->second.place && !at->second.waiting) at->second.waiting = std::move(one.waiting);
    }
    being_written_.clear();
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

}  // namespace postern::queue
