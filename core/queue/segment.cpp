#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <queue/checksum.hpp>
#include <queue/segment.hpp>

namespace postern::queue {

std::string segment_name(std::uint32_t number) {
    char text[16];
    std::snprintf(text, sizeof text, "%08x.log", number);
    return text;
}

std::optional<std::uint32_t> segment_number(std::string_view name) {
    std::uint32_t number = 0;
    if (name.size() != 12 || !name.ends_with(".log")) return std::nullopt;
    const auto read = std::from_chars(name.data(), name.data() + 8, number, 16);
    if (read.ec != std::errc() || read.ptr != name.data() + 8) return std::nullopt;
    return number;
}

Result<std::shared_ptr<Segment>> open_segment(const std::string& path, std::uint32_t number) {
    auto segment = std::make_shared<Segment>();
    segment->path = path;
    segment->file = Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    std::string first;
    struct stat status {};
    if (!segment->file.good() || ::fstat(segment->file.get(), &status) != 0 ||
        !read_whole_at(segment->file.get(), 0, first, sizeof(SegmentHeader)))
        return Problem{"spool-failing", "cannot read " + path + ": " + std::strerror(errno)};
    const auto header = segment_header(first);
    if (!header || header->number != number) return std::shared_ptr<Segment>();
    segment->number = number;
    segment->epoch = header->epoch;
    segment->size = static_cast<std::uint64_t>(status.st_size);
    segment->previous = header->previous;
    segment->previous_valid = header->previous_valid;
    return segment;
}

Result<std::string> read_record(const Segment& segment, std::uint64_t offset, std::uint32_t length, RecordKind kind,
                                const MessageKey& key) {
    std::string octets;
    if (!read_whole_at(segment.file.get(), offset, octets, sizeof(RecordHeader) + length))
        return Problem{"spool-failing", "cannot read " + segment.path + ": " + std::strerror(errno)};
    const auto header = header_at(octets, segment.epoch);
    const bool whole = header && header->kind == kind && key_of(*header) == key && header->length == length &&
                       octets.size() == sizeof(RecordHeader) + length &&
                       crc32c(std::string_view(octets).substr(sizeof(RecordHeader))) == header->payload_sum;
    if (!whole)
        return Problem{"spool-damaged", id_of(key) + ": its record at " + std::to_string(offset) + " of " +
                                            segment.path + " is damaged"};
    octets.erase(0, sizeof(RecordHeader));
    return {boost::system::in_place_value, std::move(octets)};
}

namespace {

struct Batch {
    std::uint64_t offset = 0, end = 0;
    std::string octets;
    std::vector<FoundRecord> records;
    bool whole = true;
};

bool is_whole(std::string_view octets, const RecordHeader& header) {
    return header.length <= octets.size() - sizeof header &&
           crc32c(octets.substr(sizeof header, header.length)) == header.payload_sum;
}

// Of a batch that is not whole, what can be read of it still.
Batch read_batch(const Segment& segment, std::uint64_t offset, const RecordHeader& header, bool& failed) {
    Batch batch;
    batch.offset = offset;
    batch.end = whole_blocks(offset + sizeof header + header.length);
    failed |= !read_whole_at(segment.file.get(), offset + sizeof header, batch.octets, header.length);
    batch.whole = batch.octets.size() == header.length;
    const std::string_view octets = batch.octets;
    for (std::uint64_t at = 0; at + sizeof(RecordHeader) <= octets.size();) {
        const auto one = header_at(octets.substr(at), segment.epoch);
        if (one && one->kind != RecordKind::batch && is_whole(octets.substr(at), *one)) {
            batch.records.push_back(
                {offset + sizeof header + at, *one, octets.substr(at + sizeof(RecordHeader), one->length)});
            at += aligned(sizeof(RecordHeader) + one->length);
        } else {
            batch.whole = false;
            at += 8;
        }
    }
    return batch;
}

}  // namespace

Scanned scan(const Segment& segment, std::uint64_t from, std::optional<std::uint64_t> believed,
             const std::function<void(const FoundRecord&)>& found) {
    Scanned result;
    result.valid_end = from;
    const auto end = believed.value_or(segment.size);
    std::vector<Batch> doubtful;  // until something later proves that they were synced
    std::string octets;
    const auto believe = [&](std::uint64_t proven) {
        if (doubtful.empty() || proven <= doubtful.front().offset) return;
        for (const auto& batch : doubtful) {
            for (const auto& one : batch.records) found(one);
            if (!result.damaged.empty() && result.damaged.back().to == batch.offset)
                result.damaged.back().to = batch.end;
            else result.damaged.push_back({batch.offset, batch.end});
            result.valid_end = batch.end;
        }
        doubtful.clear();
    };
    for (auto at = from; at + sizeof(RecordHeader) <= end;) {
        result.failed |= !read_whole_at(segment.file.get(), at, octets, sizeof(RecordHeader));
        const auto header = header_at(octets, segment.epoch);
        if (!header || header->kind != RecordKind::batch || header->length > segment.size - at) {
            doubtful.push_back({at, at + block, {}, {}, false});
            at += block;
            continue;
        }
        auto batch = read_batch(segment, at, *header, result.failed);
        believe(header->durable);
        at = batch.end;
        if (!batch.whole || !doubtful.empty()) {
            doubtful.push_back(std::move(batch));
            continue;
        }
        for (const auto& one : batch.records) found(one);
        result.valid_end = batch.end;
    }
    if (believed) believe(*believed);
    return result;
}

}  // namespace postern::queue
