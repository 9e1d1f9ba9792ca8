// The files of the log: which there are, the next one made ready ahead of its need, those that hold nothing any more
// used again. Any thread, but begin_next() is the writer's alone.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <queue/segment.hpp>

namespace postern::queue {

class Segments {
public:
    Segments(Disk& disk, std::string folder, std::uint64_t size)
        : disk_(disk), folder_(std::move(folder)), size_(size) {}

    // Every segment in the folder by number; those that were never used go. What is foreign or damaged is named.
    Result<void> find(std::vector<std::string>& foreign);

    // The one to write to after `previous`, which may be believed up to there; it has room for `octets`. Its first
    // block is in `first_block` and becomes durable with what is written behind it.
    Result<std::shared_ptr<Segment>> begin_next(std::uint32_t previous, std::uint64_t previous_valid,
                                                std::uint64_t octets, std::string& first_block);
    // One spare, written through so that a sync of it has no sizes or extents to record. Blocks long.
    Result<void> make_ready();
    // Nothing in it is needed any more: spare or gone. Whoever reads it still goes on.
    void recycle(std::uint32_t number);

    std::shared_ptr<Segment> get(std::uint32_t number) const;  // null: there is none
    std::vector<std::shared_ptr<Segment>> all() const;         // by number
    // How far it was synced, where a later one says so.
    std::optional<std::uint64_t> believed(std::uint32_t number) const;
    std::uint64_t segment_size() const;  // 64 MiB; less on a small file system
    bool has_spare() const;

private:
    Result<std::string> fresh_spare(bool written_through);
    std::string spare_name();
    Result<void> take_over(Segment& segment, const std::string& spare, std::uint64_t octets);

    Disk& disk_;
    std::string folder_;
    mutable std::mutex mutex_;
    std::map<std::uint32_t, std::shared_ptr<Segment>> segments_;
    std::vector<std::string> spares_;
    std::uint32_t last_ = 0, spares_made_ = 0;
    mutable std::atomic<std::uint64_t> size_;
};

}  // namespace postern::queue
