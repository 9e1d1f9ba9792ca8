// Where in the log each waiting message lies, how many octets of each segment are still needed, and what changed since
// the index was last written. Any thread; changes are the log writer's, in the order of the log.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <queue/record.hpp>
#include <queue/spool.hpp>
#include <unordered_map>

namespace postern::queue {

struct Place {
    std::uint32_t body_segment = 0, body_at = 0, body_length = 0;              // the record with the body
    std::uint32_t envelope_segment = 0, envelope_at = 0, envelope_length = 0;  // 0: in that record, too
    bool in_file = false;                                                      // the body has a file of its own
    bool indexed = false;                                                      // the index knows the message
    // Whether it is the same place; who knows of it does not matter.
    bool is(const Place& other) const {
        return body_segment == other.body_segment && body_at == other.body_at &&
               envelope_segment == other.envelope_segment && envelope_at == other.envelope_at;
    }
};

struct LogPosition {
    std::uint32_t segment = 0;  // 0: before everything
    std::uint64_t offset = 0;
    auto operator<=>(const LogPosition&) const = default;
};

// A record that is durable.
struct Change {
    RecordKind kind{};
    MessageKey key;
    std::uint32_t segment = 0, at = 0, length = 0, refers = 0;
    bool in_file = false;
    std::optional<Waiting> waiting;  // nothing: as it was (the record only moved)
};

// What the index is to be told about one message; no place: it is gone.
struct IndexChange {
    MessageKey key;
    std::optional<Place> place;
    std::optional<Waiting> waiting;  // nothing: as it was
};

class Places {
public:
    std::optional<Place> find(const MessageKey& key) const;
    std::size_t size() const;

    // `position`: where the log goes on after these. The keys whose body file is nobody's any more.
    std::vector<MessageKey> apply(std::vector<Change>& changes, LogPosition position);
    // At start: a message that the index or the log told of. `changed`: the index does not know it so.
    void restore(const MessageKey& key, Place place, std::optional<Waiting> changed);
    void start_over();
    void restore_position(LogPosition position);
    void forget_in_index(const MessageKey& key);
    void restore_refers(std::uint32_t segment, std::uint32_t oldest);

    // What the index has to learn, and up to where it then knows the log.
    std::vector<IndexChange> take_changes(LogPosition& position);
    void give_back(std::vector<IndexChange> changes);  // the index did not take them

    std::uint64_t needed_octets(std::uint32_t segment) const;
    // The oldest segment that a removal in `segment` speaks of; 0: none. Should the index be lost, the removal is what
    // keeps a message of that one from coming back.
    std::uint32_t oldest_refers(std::uint32_t segment) const;
    std::map<std::uint32_t, std::uint32_t> all_refers() const;
    void drop_segment(std::uint32_t segment);
    void refers_moved(std::uint32_t segment);
    void for_each(const std::function<void(const MessageKey&, const Place&)>& call) const;

private:
    void count(const Place& place, std::int64_t sign);

    mutable std::mutex mutex_;
    std::unordered_map<MessageKey, Place, MessageKeyHash> places_;
    std::unordered_map<MessageKey, std::optional<Waiting>, MessageKeyHash> changed_;
    std::map<std::uint32_t, std::int64_t> needed_;
    std::map<std::uint32_t, std::uint32_t> refers_;
    LogPosition position_;
};

}  // namespace postern::queue
