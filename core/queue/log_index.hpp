// What waits, by id, with its place in the log and what the schedule needs of it: an LMDB file that is written about
// each second, together with the position up to which it knows the log. A start reads it instead of the log's history,
// and places are looked up in it; lost or damaged it is made anew by reading all of the log. The only one who knows
// LMDB.
#pragma once

#include <memory>
#include <queue/places.hpp>
#include <shared_mutex>

struct MDB_env;

namespace postern::queue {

class LogIndex {
public:
    // Makes it where there is none. A failure says why it cannot be believed; then erase() and open again.
    static Result<std::unique_ptr<LogIndex>> open(const std::string& folder);
    static void erase(const std::string& folder);
    ~LogIndex();

    // All of it, at start, while nobody else uses it; `whole` false: something in it is damaged, and nothing was told.
    struct Contents {
        LogPosition position;
        std::map<std::uint32_t, std::uint32_t> refers;
        bool whole = true;
    };
    Contents read(const std::function<void(const MessageKey&, const Place&, Waiting)>& found) const;
    // Position and segments alone.
    Contents head() const;
    // Nothing: it is not there. A failure says nothing about that. Any thread, while it is written too.
    Result<std::optional<Place>> place(const MessageKey& key) const;
    Result<void> for_each_key(const std::function<void(const MessageKey&)>& call) const;

    // One durable transaction; one thread. After a failure the file is opened anew: LMDB takes nothing more in an
    // environment of which the writing failed. Until that succeeds nothing can be read.
    Result<void> write(const std::vector<IndexChange>& changes, LogPosition position,
                       const std::map<std::uint32_t, std::uint32_t>& refers);

private:
    explicit LogIndex(std::string folder) : folder_(std::move(folder)) {}
    Result<void> open_anew();
    Result<void> write_once(const std::vector<IndexChange>& changes, LogPosition position,
                            const std::map<std::uint32_t, std::uint32_t>& refers);

    using Row = std::function<bool(std::string_view id, std::string_view octets)>;  // false: it is damaged
    bool each_row(const Row& call) const;

    std::string folder_;
    mutable std::shared_mutex opening_;  // shared by who reads; alone who opens anew
    MDB_env* env_ = nullptr;             // null: could not be opened
    unsigned messages_ = 0, about_ = 0;
};

}  // namespace postern::queue
