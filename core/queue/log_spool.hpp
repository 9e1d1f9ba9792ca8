// The spool that runs: a log of what must be durable now, one write and one sync for all that waits, and beside it an
// index that is written about each second. Bodies over 64 KiB have a file of their own. Format and recovery:
// docs/spool.md. Start reading at log_writer.hpp; log_recovery.cpp is the start, log_upkeep.cpp what happens meanwhile.
#pragma once

#include <queue/disk.hpp>
#include <queue/spool.hpp>

namespace postern::queue {

struct LogOptions {
    Disk* disk = &Disk::real();
    std::function<void(const Problem&)> tell = {};     // what failed beside the mail, once; any thread
    std::chrono::milliseconds checkpoint_every{1000};  // zero: only when the spool is closed
    std::uint64_t segment_size = 0;                    // 0: 64 MiB, less on a small file system
    std::uint64_t compact_at_once = 8u << 20;          // octets moved each time at most
};

// Makes the folders where they are missing; the failure names folder and fault.
Result<std::unique_ptr<Spool>> open_log_spool(const std::string& folder, LogOptions options = {});

}  // namespace postern::queue
