#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <queue/crash_point.hpp>
#include <queue/segments.hpp>
#include <random>

namespace postern::queue {

namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t usual_size = 64u << 20, least_size = 4u << 20;
constexpr std::size_t most_spares = 4;

Problem problem(const std::string& what, const std::string& path) {
    return {"spool-failing", what + " " + path + ": " + std::strerror(errno)};
}

std::uint64_t new_epoch() {
    static thread_local std::random_device random;
    return std::uint64_t{random()} << 32 | random();
}

// A crash between its renaming and the first batch leaves zeros, or the first block of its earlier use; nothing in it
// was acknowledged. Anything else was a segment once.
bool never_used(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string first;
    if (!file.good() || !read_whole_at(file.get(), 0, first, sizeof(SegmentHeader))) return false;
    return first.find_first_not_of('\0') == std::string::npos || segment_header(first);
}

}  // namespace

std::uint64_t Segments::segment_size() const {
    if (size_ == 0) {
        struct statvfs status {};
        const bool known = ::statvfs(folder_.c_str(), &status) == 0;
        const auto sixteenth = known ? status.f_blocks * status.f_frsize / 16 : usual_size;
        size_ = std::clamp<std::uint64_t>(sixteenth / block * block, least_size, usual_size);
    }
    return size_;
}

Result<void> Segments::find(std::vector<std::string>& foreign) {
    std::error_code error;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_, error)) names.push_back(entry.path().filename());
    if (error) return Problem{"spool-failing", "cannot read " + folder_ + ": " + error.message()};
    std::lock_guard lock(mutex_);
    std::ranges::sort(names);
    for (const auto& name : names) {
        const auto path = folder_ + "/" + name;
        const auto number = segment_number(name);
        if (name.starts_with("spare-")) {
            disk_.unlink(path);
        } else if (!number) {
            foreign.push_back(name);
        } else {
            auto opened = open_segment(path, *number);
            if (!opened) return opened.error();
            last_ = std::max(last_, *number);
            if (*opened) segments_[*number] = std::move(*opened);
            else if (never_used(path)) disk_.unlink(path);
            else foreign.push_back(name);
        }
    }
    return {};
}

std::string Segments::spare_name() {
    std::lock_guard lock(mutex_);
    return folder_ + "/spare-" + std::to_string(++spares_made_);
}

Result<std::string> Segments::fresh_spare(bool written_through) {
    const auto path = spare_name();
    const Descriptor file(disk_.create(path));
    if (!file.good()) return problem("cannot create", path);
    bool done = disk_.allocate(file.get(), segment_size());
    std::string zeros(1 << 20, '\0');
    for (std::uint64_t at = 0; done && written_through && at < segment_size(); at += zeros.size()) {
        iovec piece{zeros.data(), std::min<std::size_t>(zeros.size(), segment_size() - at)};
        done = disk_.write_at(file.get(), {&piece, 1}, at);
    }
    crash_point("spare.written");
    if (done && disk_.sync_data(file.get())) return {boost::system::in_place_value, path};
    auto why = problem("cannot make room in", path);
    disk_.unlink(path);
    return why;
}

Result<void> Segments::make_ready() {
    if (has_spare()) return {};
    auto made = fresh_spare(true);
    if (!made) return made.error();
    std::lock_guard lock(mutex_);
    spares_.push_back(*made);
    return {};
}

Result<void> Segments::take_over(Segment& segment, const std::string& spare, std::uint64_t octets) {
    if (!disk_.rename(spare, segment.path)) return problem("cannot rename", spare);
    crash_point("segment.renamed");
    segment.file = Descriptor(disk_.create(segment.path));
    struct stat status {};
    if (segment.file.good() && ::fstat(segment.file.get(), &status) == 0 &&
        static_cast<std::uint64_t>(status.st_size) < octets && !disk_.allocate(segment.file.get(), octets))
        return problem("cannot make room in", segment.path);
    if (!segment.file.good() || ::fstat(segment.file.get(), &status) != 0) return problem("cannot open", segment.path);
    segment.size = static_cast<std::uint64_t>(status.st_size);
    if (!disk_.sync_folder(folder_)) return problem("cannot sync", folder_);
    crash_point("segment.begun");
    return {};
}

Result<std::shared_ptr<Segment>> Segments::begin_next(std::uint32_t previous, std::uint64_t previous_valid,
                                                      std::uint64_t octets, std::string& first_block) {
    std::string spare;
    {
        std::lock_guard lock(mutex_);
        if (!spares_.empty()) {
            spare = spares_.back();
            spares_.pop_back();
        }
    }
    if (spare.empty()) {
        auto made = fresh_spare(false);
        if (!made) return made.error();
        spare = *made;
    }
    auto segment = std::make_shared<Segment>();
    segment->number = ++last_;  // never given again, whatever happens now
    segment->path = folder_ + "/" + segment_name(segment->number);
    if (auto taken = take_over(*segment, spare, octets); !taken) {
        disk_.unlink(segment->path);
        return taken.error();
    }
    SegmentHeader header;
    header.number = segment->number;
    header.epoch = segment->epoch = new_epoch();
    header.previous = segment->previous = previous;
    header.previous_valid = segment->previous_valid = previous_valid;
    first_block = segment_block(header);
    std::lock_guard lock(mutex_);
    segments_[segment->number] = segment;
    return segment;
}

void Segments::recycle(std::uint32_t number) {
    std::shared_ptr<Segment> segment;
    std::size_t spares = 0;
    {
        std::lock_guard lock(mutex_);
        auto found = segments_.find(number);
        if (found == segments_.end()) return;
        segment = std::move(found->second);
        segments_.erase(found);
        spares = spares_.size();
    }
    // A reader holds it open and goes by its epoch: what is written over it then would only look damaged to it, so such
    // a file is not used again.
    if (segment.use_count() > 1 || spares >= most_spares) {
        disk_.unlink(segment->path);
        return;
    }
    const auto spare = spare_name();
    if (!disk_.rename(segment->path, spare)) return;
    crash_point("segment.recycled");
    std::lock_guard lock(mutex_);
    spares_.push_back(spare);
}

std::shared_ptr<Segment> Segments::get(std::uint32_t number) const {
    std::lock_guard lock(mutex_);
    auto found = segments_.find(number);
    return found == segments_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Segment>> Segments::all() const {
    std::vector<std::shared_ptr<Segment>> segments;
    std::lock_guard lock(mutex_);
    for (const auto& [number, segment] : segments_) segments.push_back(segment);
    return segments;
}

std::optional<std::uint64_t> Segments::believed(std::uint32_t number) const {
    std::lock_guard lock(mutex_);
    for (auto later = segments_.upper_bound(number); later != segments_.end(); ++later)
        if (later->second->previous == number) return later->second->previous_valid;
    return std::nullopt;
}

bool Segments::has_spare() const {
    std::lock_guard lock(mutex_);
    return !spares_.empty();
}

}  // namespace postern::queue
