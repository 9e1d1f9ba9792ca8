// Every state that a crash can leave of a recorded run: the calls that changed the disk up to a point, of what was not
// synced any subset of sectors, of renames that no sync of the folder followed any number. In each of them what was
// acknowledged must be there, whole, and what was removed must not. POSTERN_REPLAYS=10000 for long.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <mutex>
#include <queue/log_spool.hpp>
#include <random>
#include <set>

using namespace postern;
using namespace postern::queue;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t sector = 512;

struct Call {
    enum Kind { create, allocate, write, sync, sync_folder, rename, unlink, kept, going, gone } kind;
    std::string path, other;  // of the file at that time; kept, going, gone: the id
    std::uint64_t offset = 0;
    std::string octets;
};

class RecordingDisk : public Disk {
public:
    explicit RecordingDisk(std::string root) : root_(std::move(root)) {}
    int create(const std::string& path) override {
        std::lock_guard lock(mutex_);
        const int fd = Disk::create(path);
        if (fd >= 0) {
            note({Call::create, path, {}, 0, {}});
            open_[fd] = path;
        }
        return fd;
    }
    bool allocate(int fd, std::uint64_t size) override {
        std::lock_guard lock(mutex_);
        note({Call::allocate, open_[fd], {}, size, {}});
        return ::ftruncate(fd, static_cast<off_t>(size)) == 0;
    }
    bool write_at(int fd, std::span<iovec> pieces, std::uint64_t offset) override {
        std::lock_guard lock(mutex_);
        std::string octets;
        for (const auto& piece : pieces) octets.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
        note({Call::write, open_[fd], {}, offset, octets});
        return Disk::write_at(fd, pieces, offset);
    }
    bool sync_data(int fd) override {
        std::lock_guard lock(mutex_);
        note({Call::sync, open_[fd], {}, 0, {}});
        return true;
    }
    bool sync_folder(const std::string& path) override {
        std::lock_guard lock(mutex_);
        note({Call::sync_folder, path, {}, 0, {}});
        return true;
    }
    bool rename(const std::string& from, const std::string& to) override {
        std::lock_guard lock(mutex_);
        note({Call::rename, from, to, 0, {}});
        for (auto& [fd, path] : open_)
            if (path == from) path = to;
        return Disk::rename(from, to);
    }
    bool unlink(const std::string& path) override {
        std::lock_guard lock(mutex_);
        note({Call::unlink, path, {}, 0, {}});
        return Disk::unlink(path);
    }
    void acknowledge(Call::Kind kind, const std::string& id) {
        std::lock_guard lock(mutex_);
        calls.push_back({kind, id, {}, 0, {}});
    }
    std::vector<Call> calls;

private:
    void note(Call call) {
        for (auto* path : {&call.path, &call.other})
            if (path->starts_with(root_)) path->erase(0, root_.size());
        calls.push_back(std::move(call));
    }
    std::string root_;
    std::mutex mutex_;
    std::map<int, std::string> open_;
};

std::string new_folder() {
    std::string path = (fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/postern-replay-XXXXXX");
    return ::mkdtemp(path.data());
}

std::string body_of(const std::string& id, std::size_t size) {
    std::string body;
    while (body.size() < size) body += id + "\r\n";
    return body;
}

LogOptions options(Disk& disk) {
    LogOptions made;
    made.disk = &disk;
    made.checkpoint_every = std::chrono::milliseconds(0);
    made.segment_size = 256u << 10;
    return made;
}

// Small and large, several at once, outcomes, removals, more than one segment.
std::map<std::string, std::size_t> record(RecordingDisk& disk, const std::string& root) {
    std::map<std::string, std::size_t> sizes;
    auto spool = std::move(*open_log_spool(root, options(disk)));
    std::vector<std::string> damaged;
    REQUIRE(spool->recover([](const Waiting&) {}, damaged).has_value());
    std::vector<std::unique_ptr<Incoming>> incoming;
    for (int i = 0; i < 24; ++i) {
        QueuedMessage message;
        message.id = spool->new_id();
        const std::size_t size = i % 6 == 5 ? 70000 : i % 4 == 3 ? 30000 : 700;
        const auto body = body_of(message.id, size);
        message.size = body.size();
        message.recipients.emplace_back().address = "b@b.example";
        sizes[message.id] = body.size();
        incoming.push_back(std::move(*spool->begin()));
        REQUIRE(incoming.back()->append(body).has_value());
        const auto id = message.id;
        // Every other one waits for its turn alone; the rest form groups.
        auto kept = [&disk, id](const Result<void>& result) {
            if (result) disk.acknowledge(Call::kept, id);
        };
        incoming.back()->commit(message, kept);
        if (i % 2) continue;
        message.recipients[0].attempts = 1;
        REQUIRE(commit_and_wait(*incoming.emplace_back(std::move(*spool->begin())),
                                [&] {
                                    auto other = message;
                                    other.id = spool->new_id();
                                    other.size = 0;
                                    sizes[other.id] = 0;
                                    return other;
                                }())
                    .has_value());
        if (i % 4 == 0 && size < 65536) {
            auto again = message;
            REQUIRE(update_and_wait(*spool, again).has_value());
            disk.acknowledge(Call::going, id);
            REQUIRE(remove_and_wait(*spool, id).has_value());
            disk.acknowledge(Call::gone, id);
        }
    }
    spool.reset();  // whatever was under way is done
    return sizes;
}

// The folder as it may be found after a crash before call `end`.
class Aftermath {
public:
    Aftermath(std::string root, std::mt19937& chance) : root_(std::move(root)), chance_(chance) {
        for (const auto* part : {"", "/incoming", "/log", "/bodies"}) fs::create_directories(root_ + part);
    }
    std::set<std::string> kept, going, gone;

    void happen(const std::vector<Call>& calls, std::size_t end) {
        const int mood = static_cast<int>(chance_() % 4);  // all lost, all there, or any subset
        for (std::size_t i = 0; i < end; ++i) {
            const auto& call = calls[i];
            if (call.kind == Call::kept) kept.insert(call.path);
            else if (call.kind == Call::going) going.insert(call.path);
            else if (call.kind == Call::gone) gone.insert(call.path);
            else if (call.kind == Call::rename || call.kind == Call::unlink) {
                // Names of a folder change in order: behind the first that is lost all are.
                const auto folder = fs::path(call.path).parent_path().string();
                const bool durable = named_durably(calls, i, end);
                if (!durable && (mood == 0 || (mood >= 2 && chance_() % 2))) lost_.insert(folder);
                if (durable || !lost_.contains(folder)) name_changed(call);
                else if (call.kind == Call::rename) renamed_later_[call.other] = call.path;
            } else if (call.kind == Call::write) write(call, synced_later(calls, i, end), mood);
            else if (call.kind == Call::create || call.kind == Call::allocate) make(call);
        }
    }

private:
    // A name that the crash took back: the file is found under the one before.
    std::string place(const std::string& path) const {
        auto found = renamed_later_.find(path);
        return root_ + (found == renamed_later_.end() ? path : found->second);
    }
    void name_changed(const Call& call) {
        std::error_code ignored;
        if (call.kind == Call::rename) fs::rename(root_ + call.path, root_ + call.other, ignored);
        else fs::remove(root_ + call.path, ignored);
    }
    void make(const Call& call) {
        const Descriptor file(::open(place(call.path).c_str(), O_RDWR | O_CREAT, 0600));
        if (call.kind == Call::allocate) REQUIRE(::ftruncate(file.get(), static_cast<off_t>(call.offset)) == 0);
    }
    static bool named_durably(const std::vector<Call>& calls, std::size_t at, std::size_t end) {
        const auto& name = calls[at].kind == Call::rename ? calls[at].other : calls[at].path;
        const auto folder = fs::path(name).parent_path().string();
        for (auto i = at + 1; i < end; ++i)
            if (calls[i].kind == Call::sync_folder && calls[i].path == folder) return true;
        return false;
    }
    static bool synced_later(const std::vector<Call>& calls, std::size_t from, std::size_t end) {
        auto name = calls[from].path;
        for (auto i = from + 1; i < end; ++i) {
            if (calls[i].kind == Call::sync && calls[i].path == name) return true;
            if (calls[i].kind == Call::rename && calls[i].path == name) name = calls[i].other;
        }
        return false;
    }
    void write(const Call& call, bool synced, int mood) {
        const Descriptor file(::open(place(call.path).c_str(), O_RDWR | O_CREAT, 0600));
        for (std::uint64_t at = 0; at < call.octets.size(); at += sector) {
            if (!synced && (mood == 0 || (mood >= 2 && chance_() % 2))) continue;
            const auto piece = std::string_view(call.octets).substr(at, sector);
            REQUIRE(::pwrite(file.get(), piece.data(), piece.size(), static_cast<off_t>(call.offset + at)) ==
                    static_cast<ssize_t>(piece.size()));
        }
    }
    std::string root_;
    std::mt19937& chance_;
    std::map<std::string, std::string> renamed_later_;
    std::set<std::string> lost_;  // folders
};

std::string read_all(Spool& spool, const std::string& id) {
    auto source = spool.open(id);
    std::string all;
    std::vector<std::uint8_t> piece(100000);
    if (!source) return source.error().text;
    for (;;) {
        const auto count = (*source)->read_at(all.size(), piece);
        if (!count) return count.failure.text;
        if (*count == 0) return all;
        all.append(reinterpret_cast<const char*>(piece.data()), *count);
    }
}

void check(const std::string& root, const Aftermath& after, const std::map<std::string, std::size_t>& sizes) {
    auto spool = std::move(*open_log_spool(root, options(Disk::real())));
    std::set<std::string> found;
    std::vector<std::string> damaged;
    REQUIRE(spool->recover([&](const Waiting& one) { found.insert(one.id); }, damaged).has_value());
    CHECK(damaged == std::vector<std::string>());
    for (const auto& id : after.kept)
        if (!after.going.contains(id)) CHECK(found.contains(id));
    for (const auto& id : after.gone) CHECK_FALSE(found.contains(id));
    for (const auto& id : found) CHECK(read_all(*spool, id) == body_of(id, sizes.at(id)).substr(0, sizes.at(id)));
}

}  // namespace

TEST_CASE("no state that a crash can leave loses what was acknowledged", "[replay]") {
    const auto* wanted = std::getenv("POSTERN_REPLAYS");
    const unsigned replays = wanted ? static_cast<unsigned>(std::atoi(wanted)) : 300;
    const auto root = new_folder();
    RecordingDisk disk(root);
    const auto sizes = record(disk, root);
    fs::remove_all(root);
    std::mt19937 chance(replays);
    REQUIRE(disk.calls.size() > 100);
    REQUIRE(std::ranges::count(disk.calls, Call::kept, &Call::kind) == 24);
    for (unsigned i = 0; i < replays; ++i) {
        const auto end = 1 + i % disk.calls.size();
        const auto folder = new_folder();
        {
            Aftermath after(folder, chance);
            after.happen(disk.calls, end);
            INFO("replay " << i << ": crash before call " << end << " of " << disk.calls.size());
            check(folder, after, sizes);
        }
        fs::remove_all(folder);
    }
}
