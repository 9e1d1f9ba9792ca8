// What goes on beside the log: the index is told each second what changed, the next segment is made ready, segments of
// which nothing is needed are used again, and what little is needed of others is moved out of them.
#include <algorithm>
#include <future>
#include <queue/crash_point.hpp>
#include <queue/log_parts.hpp>

namespace postern::queue {

void Upkeep::start() {
    checkpointed_ = spool_.index_->head().position;
    if (spool_.options_.checkpoint_every.count() > 0) thread_ = std::thread([this] { run(); });
}

void Upkeep::stop() {
    {
        std::lock_guard lock(mutex_);
        if (ending_) return;
        ending_ = true;
    }
    news_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Upkeep::segment_begun() {
    {
        std::lock_guard lock(mutex_);
        spare_wanted_ = true;
    }
    news_.notify_all();
}

void Upkeep::run() {
    for (auto next = std::chrono::steady_clock::now();;) {
        bool spare = false;
        {
            std::unique_lock lock(mutex_);
            news_.wait_until(lock, next, [this] { return ending_ || spare_wanted_; });
            if (ending_) return;
            spare = std::exchange(spare_wanted_, false);
        }
        // A full disk is no news here: the next batch that needs room says so.
        if (spare) (void)spool_.segments_.make_ready();
        spool_.look_at_room();
        if (std::chrono::steady_clock::now() < next) continue;
        checkpoint();
        recycle();
        compact();
        next = std::chrono::steady_clock::now() + spool_.options_.checkpoint_every;
    }
}

void Upkeep::checkpoint() {
    LogPosition position;
    auto changes = spool_.places_.take_changes(position);
    if (changes.empty() && position <= checkpointed_) return;
    position = std::max(position, checkpointed_);
    crash_point("checkpoint.begun");
    if (auto written = spool_.index_->write(changes, position, spool_.places_.all_refers()); !written) {
        spool_.places_.give_back(std::move(changes));
        // No reason to refuse mail: the log has everything. Told once, not each second.
        if (!std::exchange(failing_, true) && spool_.options_.tell)
            spool_.options_.tell({written.error().id, written.error().text +
                                                          "; mail goes on, the next start reads more of the log, and "
                                                          "this is tried again each second"});
        return;
    }
    spool_.places_.written();
    crash_point("checkpoint.written");
    failing_ = false;
    checkpointed_ = position;
}

bool Upkeep::refers_to_what_is_there(std::uint32_t number) const {
    const auto oldest = spool_.places_.oldest_refers(number);
    if (oldest == 0) return false;
    for (auto other = oldest; other < number; ++other)
        if (spool_.segments_.get(other)) return true;
    return false;
}

void Upkeep::recycle() {
    auto segments = spool_.segments_.all();
    for (auto& segment : segments) {
        const auto number = segment->number;
        if (number >= checkpointed_.segment || spool_.places_.needed_octets(number) > 0) continue;
        if (refers_to_what_is_there(number)) continue;
        spool_.places_.drop_segment(number);
        segment.reset();  // a holder less: it may be used again
        spool_.segments_.recycle(number);
    }
}

// The one that is least needed, where that is a quarter at most; also one that is kept for its removals alone.
void Upkeep::compact() {
    std::shared_ptr<Segment> least;
    auto needed = ~std::uint64_t{0};
    for (const auto& segment : spool_.segments_.all()) {
        if (segment->number >= checkpointed_.segment || stuck_.contains(segment->number)) continue;
        const auto octets = spool_.places_.needed_octets(segment->number);
        if (octets * 4 > segment->size || octets >= needed) continue;
        needed = octets;
        least = segment;
    }
    if (least) move_out(*least);
}

// The record again, for the end of the log, where it is still needed.
std::optional<LogRequest> Upkeep::moved(const Segment& segment, const FoundRecord& record) const {
    const auto key = key_of(record.header);
    LogRequest request;
    if (record.header.kind == RecordKind::removal) {
        if (!record.header.refers || !spool_.segments_.get(record.header.refers)) return std::nullopt;
        request.record = removal_record(key);
        request.refers = record.header.refers;
        return request;
    }
    const auto found = spool_.places_.find(key);
    if (!found || !*found) return std::nullopt;
    const auto& place = *found;
    if (record.header.kind == RecordKind::envelope) {
        if (place->envelope_segment != segment.number || place->envelope_at != record.offset) return std::nullopt;
        request.record = envelope_record(key, record.payload);
    } else {
        if (place->body_segment != segment.number || place->body_at != record.offset) return std::nullopt;
        const auto parts = message_parts(record.payload);
        const auto envelope = spool_.read_envelope(key, *place);
        if (!parts || !envelope) return std::nullopt;
        request.record = message_record(key, *envelope, parts->header, parts->body);
        request.in_file = place->in_file;
    }
    request.only_from = place;
    return request;
}

void Upkeep::move_out(const Segment& segment) {
    std::vector<LogRequest> requests;
    std::uint64_t octets = 0;
    bool all = true;
    const auto scanned =
        scan(segment, block, spool_.segments_.believed(segment.number), [&](const FoundRecord& record) {
            if (octets >= spool_.options_.compact_at_once) {
                all = false;
                return;
            }
            auto request = moved(segment, record);
            if (!request) return;
            octets += request->record.size();
            requests.push_back(std::move(*request));
        });
    if (scanned.failed || requests.empty()) {
        // What is needed of it and cannot be read stays where it is.
        if (scanned.failed || spool_.places_.needed_octets(segment.number) > 0) stuck_.insert(segment.number);
        else spool_.places_.refers_moved(segment.number);
        return;
    }
    crash_point("compaction.begun");
    std::atomic<bool> good{true};
    std::promise<void> done;
    const auto last = requests.size() - 1;
    for (std::size_t i = 0; i <= last; ++i) {
        requests[i].done = [&, i](const Result<void>& result) {
            if (!result) good = false;
            if (i == last) done.set_value();
        };
        spool_.writer_.submit(std::move(requests[i]));
    }
    done.get_future().wait();
    crash_point("compaction.moved");
    if (good && all) spool_.places_.refers_moved(segment.number);
}

}  // namespace postern::queue
