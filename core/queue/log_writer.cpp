#include <algorithm>
#include <base/gathering.hpp>
#include <cerrno>
#include <cstring>
#include <queue/crash_point.hpp>
#include <queue/log_writer.hpp>

namespace postern::queue {

namespace {
constexpr std::size_t most_records = 1000;
constexpr std::uint64_t most_octets = 2u << 20;
// A removal alone waits so long for a message to travel with, and so many of them: it saves a sync, and a crash within
// this time repeats a delivery that was being told anyway.
constexpr std::chrono::milliseconds patience{5};
constexpr std::size_t most_patient = 64;

bool is_removal(const LogRequest& request) { return header_of(request.record).kind == RecordKind::removal; }
}  // namespace

void LogWriter::start(LogPosition position) {
    last_number_ = position.segment;
    durable_ = position.offset;
    thread_ = std::thread([this] { run(); });
}

void LogWriter::stop() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    news_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void LogWriter::submit(LogRequest request) {
    bool wake = false;
    {
        std::lock_guard lock(mutex_);
        hurry_ |= !is_removal(request);
        waiting_.push_back(std::move(request));
        wake = asleep_ && (!patient_ || hurry_ || waiting_.size() >= most_patient);
        if (wake) asleep_ = false;
    }
    if (wake) news_.notify_one();
}

// False: there is nothing more to write, ever.
bool LogWriter::take_waiting() {
    taken_.clear();
    next_taken_ = 0;
    std::unique_lock lock(mutex_);
    while (waiting_.empty() && !ending_) {
        asleep_ = true;
        news_.wait(lock);
    }
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!hurry_ && waiting_.size() < most_patient && !ending_) {
        asleep_ = patient_ = true;
        if (news_.wait_until(lock, until) == std::cv_status::timeout) break;
    }
    asleep_ = patient_ = hurry_ = false;
    taken_.swap(waiting_);
    return !taken_.empty();
}

void LogWriter::run() {
    for (;;) {
        if (next_taken_ == taken_.size() && !take_waiting()) return;
        auto batch = next_batch();
        crash_point("commit.taken");
        auto written = batch.changes.empty() ? Result<void>() : write(batch);
        finish(batch, written);
    }
}

// Drops what has become needless: a move of a message that is elsewhere by now, or of which this batch says more; a
// removal of what is not there.
bool LogWriter::prepare(LogRequest& request, const Batch& batch) const {
    auto header = header_of(request.record);
    const auto key = key_of(header);
    if (request.only_from) {
        const auto place = parts_.places.find(key);
        return place && *place && (*place)->is(*request.only_from) &&
               std::ranges::find(batch.changes, key, &Change::key) == batch.changes.end();
    }
    if (header.kind != RecordKind::removal) return true;
    if (const auto place = parts_.places.find(key)) {
        if (request.refers && *place) return false;
        if (!request.refers && !*place) return false;
        if (*place) request.refers = (*place)->body_segment;
    } else if (!request.refers) {
        // The index cannot be read: a removal too many does no harm, and the message may lie in any segment.
        if (const auto all = parts_.segments.all(); !all.empty()) request.refers = all.front()->number;
    }
    header.refers = request.refers;
    std::memcpy(request.record.data(), &header, sizeof header);
    return true;
}

LogWriter::Batch LogWriter::next_batch() {
    Batch batch;
    batch.octets = sizeof(RecordHeader);
    while (next_taken_ < taken_.size() && batch.requests.size() < most_records && batch.octets < most_octets) {
        auto& request = taken_[next_taken_++];
        if (prepare(request, batch)) {
            const auto header = header_of(request.record);
            batch.changes.push_back({header.kind, key_of(header), 0, static_cast<std::uint32_t>(batch.octets),
                                     header.length, request.refers, request.in_file, std::move(request.waiting)});
            batch.octets += request.record.size();
        } else {
            request.record.clear();
        }
        batch.requests.push_back(std::move(request));
    }
    return batch;
}

Result<void> LogWriter::make_room(std::uint64_t octets) {
    if (segment_ && durable_ + octets <= segment_->size) return {};
    // An envelope with many recipients may be longer than a segment is as a rule.
    auto next = parts_.segments.begin_next(last_number_, durable_, block + octets, first_block_);
    if (!next) return next.error();
    segment_ = *next;
    // Until the first batch is durable the one before stays the last that is believed.
    parts_.segment_begun();
    return {};
}

Result<void> LogWriter::write(Batch& batch) {
    if (auto room = make_room(block + whole_blocks(batch.octets)); !room) return room;
    const auto at = first_block_.empty() ? durable_ : block;
    const auto length = static_cast<std::uint32_t>(batch.octets - sizeof(RecordHeader));
    auto header = batch_header(segment_->epoch, at, length);
    std::vector<iovec> pieces;
    pieces.reserve(batch.requests.size() + 2);
    if (!first_block_.empty()) pieces.push_back({first_block_.data(), first_block_.size()});
    pieces.push_back({header.data(), header.size()});
    for (auto& request : batch.requests) {
        if (request.record.empty()) continue;
        seal(request.record, segment_->epoch);
        pieces.push_back({request.record.data(), request.record.size()});
    }
    const auto from = first_block_.empty() ? at : 0;
    const bool written = parts_.disk.write_at(segment_->file.get(), pieces, from);
    if (written) crash_point("commit.written");
    if (!written || !parts_.disk.sync_data(segment_->file.get())) {
        // The pages may be gone although a second sync would succeed: this segment is never written again, and the next
        // one says how far it may be believed. One that never had a durable batch says nothing at all.
        Problem why{"spool-failing", "cannot write " + segment_->path + ": " + std::strerror(errno)};
        segment_.reset();
        first_block_.clear();
        return why;
    }
    crash_point("commit.synced");
    first_block_.clear();
    last_number_ = segment_->number;
    durable_ = at + whole_blocks(batch.octets);
    for (auto& change : batch.changes) {
        change.segment = segment_->number;
        change.at += static_cast<std::uint32_t>(at);
    }
    return {};
}

void LogWriter::finish(Batch& batch, const Result<void>& written) {
    if (written && !batch.changes.empty()) {
        auto orphans = parts_.places.apply(batch.changes, {last_number_, durable_});
        crash_point("commit.applied");
        if (!orphans.empty()) parts_.orphaned(std::move(orphans));
    }
    if (!written) parts_.failed(written.error());
    Gathering told_together;
    for (auto& request : batch.requests)
        if (request.done) request.done(written);
}

}  // namespace postern::queue
