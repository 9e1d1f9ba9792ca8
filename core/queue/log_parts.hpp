// What the files of the log spool share; nobody else includes it.
#pragma once

#include <atomic>
#include <queue/log_index.hpp>
#include <queue/log_spool.hpp>
#include <queue/log_writer.hpp>
#include <queue/recent_bodies.hpp>
#include <queue/task_threads.hpp>
#include <set>

namespace postern::queue {

class LogSpool : public Spool {
public:
    LogSpool(std::string folder, LogOptions options);
    ~LogSpool() override;

    std::string new_id() override { return ids_.next(); }
    Result<std::unique_ptr<Incoming>> begin() override;
    Result<Ref<StoredBody>> open(const std::string& id) override;
    Ref<StoredBody> at_hand(const std::string& id) override;
    Result<QueuedMessage> load(const std::string& id) override;
    void update(const QueuedMessage& message, Done done) override;
    void remove(const std::string& id, Done done) override;
    Result<std::vector<MessageKey>> keys() const override { return places_.keys(); }
    Result<void> recover(const std::function<void(Waiting)>& found, std::vector<std::string>& damaged) override;
    SpoolHealth health() const override { return health_.load(std::memory_order_relaxed); }

    // The record with the body, checked; follows a message that is moved meanwhile.
    Result<Place> place_of(const MessageKey& key) const;
    Result<std::string> read_body_record(const MessageKey& key) const;
    std::string body_path(const MessageKey& key) const { return folder_ + "/bodies/" + id_of(key); }

private:
    friend class LogIncoming;
    friend class Recovery;
    friend class Upkeep;

    void failed(const Problem& problem);
    void look_at_room();
    Result<std::string> read_envelope(const MessageKey& key, const Place& place) const;

    std::string folder_;
    LogOptions options_;
    MessageIds ids_;
    Segments segments_;
    Places places_;
    RecentBodies recent_{16u << 20};
    std::unique_ptr<LogIndex> index_;
    std::atomic<SpoolHealth> health_{SpoolHealth::good};
    std::atomic<std::chrono::steady_clock::rep> failing_until_{0};
    std::unique_ptr<class Upkeep> upkeep_;
    TaskThreads tasks_{2};  // syncs of bodies, and files that go
    LogWriter writer_;      // its thread ends first
};

// Checkpoints, the spare segment, what can be used again, compaction: a thread of its own.
class Upkeep {
public:
    explicit Upkeep(LogSpool& spool) : spool_(spool) {}
    ~Upkeep() { stop(); }
    void start();
    void stop();
    void segment_begun();

    // The steps, for tests without the clock.
    void checkpoint();
    void recycle();
    void compact();

private:
    void run();
    bool refers_to_what_is_there(std::uint32_t number) const;
    void move_out(const Segment& segment);
    std::optional<LogRequest> moved(const Segment& segment, const FoundRecord& record) const;

    LogSpool& spool_;
    LogPosition checkpointed_;
    std::set<std::uint32_t> stuck_;  // segments that cannot be compacted
    std::mutex mutex_;
    std::condition_variable news_;
    bool ending_ = false, spare_wanted_ = true;
    bool failing_ = false;  // the index could not be written last time
    std::thread thread_;
};

}  // namespace postern::queue
