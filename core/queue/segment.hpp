// One file of the log: its name, its epoch, how far it is written, and how to read it. Who writes is the log's writer
// alone; reading is for any thread. Knows records, not what they mean.
#pragma once

#include <base/failure.hpp>
#include <functional>
#include <memory>
#include <queue/disk.hpp>
#include <queue/record.hpp>
#include <vector>

namespace postern::queue {

struct Segment {
    std::uint32_t number = 0;
    std::uint64_t epoch = 0, size = 0;
    std::uint32_t previous = 0;
    std::uint64_t previous_valid = 0;
    Descriptor file;
    std::string path;
};

// "0000002a.log" and back.
std::string segment_name(std::uint32_t number);
std::optional<std::uint32_t> segment_number(std::string_view name);

// A segment that was written. Null where its first block is not of this number: never used, or damaged.
Result<std::shared_ptr<Segment>> open_segment(const std::string& path, std::uint32_t number);

// The payload of the record there, its sums and its key held against what is wanted.
Result<std::string> read_record(const Segment& segment, std::uint64_t offset, std::uint32_t length, RecordKind kind,
                                const MessageKey& key);

struct FoundRecord {
    std::uint64_t offset = 0;
    RecordHeader header;
    std::string_view payload;
};

struct Scanned {
    std::uint64_t valid_end = block;  // of the last batch that is believed
    struct Damage {
        std::uint64_t from, to;
    };
    std::vector<Damage> damaged;  // was synced once, and cannot be read
    bool failed = false;          // the disk refused to read
};
// Every record of the batches from `from` on, in order. What follows the last synced batch and is not whole was never
// acknowledged, and is left out; what is not whole and was once synced is damage. `believed`: how far this segment was
// synced, where the next one says so.
Scanned scan(const Segment& segment, std::uint64_t from, std::optional<std::uint64_t> believed,
             const std::function<void(const FoundRecord&)>& found);

}  // namespace postern::queue
