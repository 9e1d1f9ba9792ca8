#include <cstring>
#include <queue/checksum.hpp>
#include <queue/record.hpp>

namespace postern::queue {

namespace {

constexpr std::uint32_t segment_magic = 0x47455350, record_magic = 0x43455250;  // "PSEG", "PREC"

template <class T>
std::string_view octets_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <class T>
T read_as(std::string_view octets) {
    T value;
    std::memcpy(&value, octets.data(), sizeof value);
    return value;
}

// Of all but the magic and the sum itself.
template <class Header>
std::uint32_t sum_of(const Header& header, std::uint64_t epoch) {
    return crc32c(octets_of(header).substr(8), crc32c(octets_of(epoch)));
}

std::string record(RecordKind kind, const MessageKey& key, std::initializer_list<std::string_view> payload) {
    RecordHeader header;
    header.magic = record_magic;
    header.kind = kind;
    header.key_high = key.high;
    header.key_low = key.low;
    std::size_t length = 0;
    for (const auto part : payload) length += part.size();
    std::string octets;
    octets.reserve(aligned(sizeof header + length));
    octets.assign(sizeof header, '\0');
    for (const auto part : payload) octets += part;
    header.length = static_cast<std::uint32_t>(length);
    header.payload_sum = crc32c(std::string_view(octets).substr(sizeof header));
    std::memcpy(octets.data(), &header, sizeof header);
    octets.resize(aligned(octets.size()));
    return octets;
}

}  // namespace

std::string message_record(const MessageKey& key, std::string_view envelope, const MessageHeader& body,
                           std::string_view octets) {
    auto header = body;
    header.envelope_length = static_cast<std::uint32_t>(envelope.size());
    return record(RecordKind::message, key, {octets_of(header), envelope, octets});
}

std::string envelope_record(const MessageKey& key, std::string_view envelope) {
    return record(RecordKind::envelope, key, {envelope});
}

std::string removal_record(const MessageKey& key) { return record(RecordKind::removal, key, {}); }

void seal(std::string& made, std::uint64_t epoch) {
    auto header = read_as<RecordHeader>(made);
    header.sum = sum_of(header, epoch);
    std::memcpy(made.data(), &header, sizeof header);
}

std::string batch_header(std::uint64_t epoch, std::uint64_t durable, std::uint32_t length) {
    RecordHeader header;
    header.magic = record_magic;
    header.kind = RecordKind::batch;
    header.length = length;
    header.durable = durable;
    header.sum = sum_of(header, epoch);
    return std::string(octets_of(header));
}

std::string segment_block(SegmentHeader header) {
    header.magic = segment_magic;
    header.sum = sum_of(header, 0);
    std::string octets(octets_of(header));
    octets.resize(block);
    return octets;
}

std::optional<RecordHeader> header_at(std::string_view octets, std::uint64_t epoch) {
    if (octets.size() < sizeof(RecordHeader)) return std::nullopt;
    const auto header = read_as<RecordHeader>(octets);
    if (header.magic != record_magic || header.sum != sum_of(header, epoch)) return std::nullopt;
    return header;
}

std::optional<SegmentHeader> segment_header(std::string_view octets) {
    if (octets.size() < sizeof(SegmentHeader)) return std::nullopt;
    const auto header = read_as<SegmentHeader>(octets);
    if (header.magic != segment_magic || header.sum != sum_of(header, 0) || header.version != 1) return std::nullopt;
    return header;
}

RecordHeader header_of(const std::string& made) { return read_as<RecordHeader>(made); }

std::optional<MessageParts> message_parts(std::string_view payload) {
    MessageParts parts;
    if (payload.size() < sizeof parts.header) return std::nullopt;
    parts.header = read_as<MessageHeader>(payload);
    payload.remove_prefix(sizeof parts.header);
    if (payload.size() < parts.header.envelope_length) return std::nullopt;
    parts.envelope = payload.substr(0, parts.header.envelope_length);
    parts.body = payload.substr(parts.header.envelope_length);
    if (parts.body.size() != (parts.header.in_file ? 0 : parts.header.body_size)) return std::nullopt;
    return parts;
}

}  // namespace postern::queue
