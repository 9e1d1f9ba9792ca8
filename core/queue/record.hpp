// What the log consists of, octet by octet: a segment begins with a block that names it, then come batches, each what
// was written and synced at once, beginning on a block of its own, so that no block that holds something acknowledged
// is ever written again. Pure; docs/spool.md draws it.
//
// The sum of every header is seeded with the segment's epoch: what an earlier use of a recycled segment left behind is
// never taken for a record of this one.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <queue/message_id.hpp>
#include <string>
#include <string_view>

namespace postern::queue {

static_assert(std::endian::native == std::endian::little, "the log is written as it lies in memory");

inline constexpr std::uint64_t block = 4096;
constexpr std::uint64_t whole_blocks(std::uint64_t octets) { return (octets + block - 1) / block * block; }
constexpr std::uint64_t aligned(std::uint64_t octets) { return (octets + 7) / 8 * 8; }

struct SegmentHeader {
    std::uint32_t magic = 0, sum = 0, version = 1, number = 0;
    std::uint64_t epoch = 0;
    std::uint32_t previous = 0, reserved = 0;
    std::uint64_t previous_valid = 0;  // how far the one before may be believed
};
static_assert(sizeof(SegmentHeader) == 40);

enum class RecordKind : std::uint32_t {
    batch = 1,     // the records of one write
    message = 2,   // envelope and body
    envelope = 3,  // an outcome: the envelope that holds from now on
    removal = 4,   // nothing of it waits any more
};

struct RecordHeader {
    std::uint32_t magic = 0, sum = 0;
    RecordKind kind{};
    std::uint32_t length = 0;  // of the payload; of a batch: of all its records
    std::uint32_t payload_sum = 0;
    std::uint32_t refers = 0;   // removal: the segment that held the message
    std::uint64_t durable = 0;  // batch: everything in this segment before it was synced when it was written
    std::uint64_t key_high = 0;
    std::uint32_t key_low = 0, reserved = 0;
};
static_assert(sizeof(RecordHeader) == 48);

// In front of a message's payload; then the envelope's text, then the body unless it has a file of its own.
struct MessageHeader {
    std::uint32_t envelope_length = 0, in_file = 0;
    std::uint64_t body_size = 0;
    std::uint32_t body_sum = 0, reserved = 0;
};
static_assert(sizeof(MessageHeader) == 24);

// The header is left empty: the writer knows the segment. Any thread.
std::string message_record(const MessageKey& key, std::string_view envelope, const MessageHeader& body,
                           std::string_view octets);
std::string envelope_record(const MessageKey& key, std::string_view envelope);
std::string removal_record(const MessageKey& key);

// Puts the sums in; `record` begins with its header.
void seal(std::string& record, std::uint64_t epoch);
std::string batch_header(std::uint64_t epoch, std::uint64_t durable, std::uint32_t length);
std::string segment_block(SegmentHeader header);

// A header that stands there and is of this epoch; its payload is not looked at.
std::optional<RecordHeader> header_at(std::string_view octets, std::uint64_t epoch);
std::optional<SegmentHeader> segment_header(std::string_view octets);
inline MessageKey key_of(const RecordHeader& header) { return {header.key_high, header.key_low}; }
RecordHeader header_of(const std::string& record);  // of a record that was made here

struct MessageParts {
    MessageHeader header;
    std::string_view envelope, body;
};
// Of a record's payload; nothing where the lengths do not fit.
std::optional<MessageParts> message_parts(std::string_view payload);

}  // namespace postern::queue
