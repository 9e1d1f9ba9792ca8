// The one thread that writes the log: takes all that waits, one write, one fdatasync, then tells everybody (group
// commit). A failed sync gives that batch up and closes the segment for ever. Knows no envelopes and no index.
#pragma once

#include <atomic>
#include <condition_variable>
#include <queue/places.hpp>
#include <queue/segments.hpp>
#include <thread>

namespace postern::queue {

struct LogRequest {
    std::string record;  // unsealed
    std::optional<Waiting> waiting;
    bool in_file = false;
    std::optional<Place> only_from;  // a move: dropped where the message is no longer there
    std::uint32_t refers = 0;        // a removal that is only moved: what it speaks of
    Done done;
};

class LogWriter {
public:
    struct Parts {
        Disk& disk;
        Segments& segments;
        Places& places;
        std::function<void(const Problem&)> failed;             // a batch was given up
        std::function<void(std::vector<MessageKey>)> orphaned;  // body files that are nobody's
        std::function<void()> segment_begun;                    // the next spare is wanted
    };
    explicit LogWriter(Parts parts) : parts_(std::move(parts)) {}
    ~LogWriter() { stop(); }

    // `position`: where the log was left; a new segment is begun behind it.
    void start(LogPosition position);
    // Writes what waits, then ends.
    void stop();
    void submit(LogRequest request);

private:
    struct Batch {
        std::vector<LogRequest> requests;
        std::vector<Change> changes;
        std::uint64_t octets = 0;
    };
    void run();
    bool take_waiting();
    Batch next_batch();
    bool prepare(LogRequest& request, const Batch& batch) const;
    Result<void> write(Batch& batch);
    Result<void> make_room(std::uint64_t octets);
    void finish(Batch& batch, const Result<void>& written);

    Parts parts_;
    std::mutex mutex_;
    std::condition_variable news_;
    std::vector<LogRequest> waiting_;
    bool ending_ = false, asleep_ = false;
    bool patient_ = false;  // asleep until company comes for the removals that wait
    bool hurry_ = false;    // somebody waits for what is among them
    std::thread thread_;
    // The thread's alone:
    std::vector<LogRequest> taken_;
    std::size_t next_taken_ = 0;
    std::shared_ptr<Segment> segment_;
    std::uint32_t last_number_ = 0;
    std::uint64_t durable_ = 0;
    std::string first_block_;
};

}  // namespace postern::queue
