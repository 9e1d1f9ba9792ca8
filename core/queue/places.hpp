// Where in the log each waiting message lies, and how many octets of each segment are still needed. In memory is what
// the index does not know yet, a second's worth; the rest is looked up there, so that a message that merely waits takes
// none. Any thread; changes are the log writer's, in the order of the log.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <queue/record.hpp>
#include <queue/spool.hpp>
#include <unordered_map>
#include <unordered_set>

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

class LogIndex;

class Places {
public:
    // Before anything else; null while there is none.
    void look_in(const LogIndex* index);
    // Nothing: it is not in the spool. A failure: the index cannot be read now, or could not when the message changed.
    Result<std::optional<Place>> find(const MessageKey& key) const;
    Result<std::vector<MessageKey>> keys() const;  // the oldest first

    // `position`: where the log goes on after these. The keys whose body file is nobody's any more. What needs the
    // index and cannot have it is put by, and made up for as soon as the index can be read.
    std::vector<MessageKey> apply(std::vector<Change>& changes, LogPosition position);
    // At start: a message that the index told of, and one of which the log says more.
    void restore_indexed(const Place& place);
    void restore_changed(const MessageKey& key, Place place, Waiting waiting);
    void start_over();
    void restore_position(LogPosition position);
    void forget_in_index(const MessageKey& key);
    void restore_refers(std::uint32_t segment, std::uint32_t oldest);

    // What the index has to learn, by key, and up to where it then knows the log. Then one of the two: it is durable
    // there, or it was not taken.
    std::vector<IndexChange> take_changes(LogPosition& position);
    void written();
    void give_back(std::vector<IndexChange> changes);

    std::uint64_t needed_octets(std::uint32_t segment) const;
    // The oldest segment that a removal in `segment` speaks of; 0: none. Should the index be lost, the removal is what
    // keeps a message of that one from coming back.
    std::uint32_t oldest_refers(std::uint32_t segment) const;
    std::map<std::uint32_t, std::uint32_t> all_refers() const;
    void drop_segment(std::uint32_t segment);
    void refers_moved(std::uint32_t segment);

private:
    struct Changed {
        std::optional<Place> place;  // nothing: it is gone
        std::optional<Waiting> waiting;
    };
    void count(const Place& place, std::int64_t sign);
    // Where memory knows: the place, or that there is none. Nothing: the index is to be asked.
    std::optional<std::optional<Place>> remembered(const MessageKey& key) const;
    Result<std::optional<Place>> found(const MessageKey& key) const;
    bool apply_one(Change& change);
    void put_by(Change change, LogPosition before);
    void catch_up();

    mutable std::mutex mutex_;
    const LogIndex* index_ = nullptr;
    std::unordered_map<MessageKey, Changed, MessageKeyHash> changed_;
    std::unordered_map<MessageKey, std::optional<Place>, MessageKeyHash> being_written_;
    std::map<std::uint32_t, std::int64_t> needed_;
    std::map<std::uint32_t, std::uint32_t> refers_;
    LogPosition position_;
    // Made while the index could not be read, in their order: until they are made up for nothing is known of their
    // messages, and a start reads the log from where the first of them stands.
    std::vector<Change> put_by_;
    std::unordered_set<MessageKey, MessageKeyHash> unsure_;
    LogPosition unsure_since_;
    std::vector<MessageKey> orphans_;
};

}  // namespace postern::queue
