#include <stdlib.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <queue/envelope_text.hpp>
#include <queue/log_parts.hpp>
#include <queue/log_spool.hpp>
#include <unit/queue/folder.hpp>

using namespace postern;
using namespace postern::queue;
namespace fs = std::filesystem;

namespace {

QueuedMessage message(const std::string& id, std::size_t size, unsigned recipients = 1) {
    QueuedMessage one;
    one.id = id;
    one.received = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    one.sender = "a@a.example";
    one.size = size;
    for (unsigned i = 0; i < recipients; ++i) {
        auto& to = one.recipients.emplace_back();
        to.address = "b" + std::to_string(i) + "@b.example";
        to.domain = "b.example";
        to.next_attempt = one.received;
    }
    return one;
}

Result<void> store(Spool& spool, const std::string& id, const std::string& octets) {
    auto incoming = spool.begin();
    if (!incoming) return incoming.error();
    if (auto appended = (*incoming)->append(octets); !appended) return appended;
    return commit_and_wait(**incoming, message(id, octets.size()));
}

std::string octets_of(Spool& spool, const std::string& id) {
    auto source = spool.open(id);
    if (!source) return "cannot open: " + source.error().text;
    std::string all;
    for (std::vector<std::uint8_t> piece(50000);;) {
        const auto count = (*source)->read_at(all.size(), piece);
        if (!count) return "cannot read: " + count.failure.text;
        if (*count == 0) return all;
        all.append(reinterpret_cast<const char*>(piece.data()), *count);
    }
}

struct Started {
    std::unique_ptr<Spool> spool;
    std::map<std::string, Waiting> waiting;
    std::vector<std::string> damaged;
};
Started start(const std::string& folder, Disk& disk = Disk::real()) {
    Started started;
    LogOptions options;
    options.disk = &disk;
    options.checkpoint_every = std::chrono::milliseconds(0);
    options.segment_size = 1u << 20;
    started.spool = std::move(*open_log_spool(folder, options));
    auto recovered =
        started.spool->recover([&](Waiting one) { started.waiting[one.id] = std::move(one); }, started.damaged);
    REQUIRE(recovered.has_value());
    return started;
}

// As a crash leaves it: without the last checkpoint, which closing in order makes.
void crash(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
}

// Fails the n-th of the calls that change the disk, and all after it until it is mended.
class FailingDisk : public Disk {
public:
    int create(const std::string& path) override { return fails() ? -1 : Disk::create(path); }
    bool allocate(int fd, std::uint64_t size) override { return !fails() && Disk::allocate(fd, size); }
    bool write_at(int fd, std::span<iovec> pieces, std::uint64_t offset) override {
        return !fails() && Disk::write_at(fd, pieces, offset);
    }
    bool sync_data(int fd) override { return !fails() && Disk::sync_data(fd); }
    bool sync_folder(const std::string& path) override { return !fails() && Disk::sync_folder(path); }
    bool rename(const std::string& from, const std::string& to) override { return !fails() && Disk::rename(from, to); }
    std::atomic<int> left{1 << 30};
    std::atomic<int> error{EIO};

private:
    bool fails() {
        if (left.fetch_sub(1) > 0) return false;
        errno = error;
        return true;
    }
};

}  // namespace

TEST_CASE("what the log committed is there after a restart, octet for octet, small and large", "[log-spool]") {
    Folder folder;
    std::map<std::string, std::string> kept;
    {
        auto first = start(folder.name);
        for (const std::size_t size : {0u, 1u, 4096u, 65536u, 65537u, 300000u}) {
            const auto id = first.spool->new_id();
            kept[id] = std::string(size, 'a') + id;
            REQUIRE(store(*first.spool, id, kept[id]).has_value());
            CHECK(octets_of(*first.spool, id) == kept[id]);
        }
        auto unfinished = std::move(*first.spool->begin());
        REQUIRE(unfinished->append(std::string(100000, 'x')).has_value());
        crash(folder.name, folder.name + "-crashed");
    }
    for (const auto& where : {folder.name, folder.name + "-crashed"}) {
        auto again = start(where);
        CHECK(again.damaged.empty());
        REQUIRE(again.waiting.size() == kept.size());
        for (const auto& [id, octets] : kept) CHECK(octets_of(*again.spool, id) == octets);
        CHECK(fs::is_empty(where + "/incoming"));
    }
    fs::remove_all(folder.name + "-crashed");
}

TEST_CASE("outcomes are kept: an envelope changed, a message removed, with and without the index", "[log-spool]") {
    Folder folder;
    std::string changed, removed, large;
    {
        auto first = start(folder.name);
        changed = first.spool->new_id(), removed = first.spool->new_id(), large = first.spool->new_id();
        for (const auto& id : {changed, removed}) REQUIRE(store(*first.spool, id, "x").has_value());
        REQUIRE(store(*first.spool, large, std::string(100000, 'x')).has_value());
        auto after = message(changed, 1);
        after.recipients[0].attempts = 7;
        after.held = true;
        REQUIRE(update_and_wait(*first.spool, after).has_value());
        REQUIRE(remove_and_wait(*first.spool, removed).has_value());
        REQUIRE(remove_and_wait(*first.spool, large).has_value());
        CHECK_FALSE(first.spool->load(removed).has_value());
    }
    for (const bool index_lost : {false, true}) {
        if (index_lost) fs::remove_all(folder.name + "/index");
        auto again = start(folder.name);
        REQUIRE(again.waiting.size() == 1);
        CHECK(again.waiting.begin()->second.held);
        CHECK(again.spool->load(changed)->recipients[0].attempts == 7);
        CHECK(octets_of(*again.spool, changed) == "x");
        CHECK(fs::is_empty(folder.name + "/bodies"));
    }
}

TEST_CASE("an index that is damaged, or of another log, is made anew", "[log-spool]") {
    Folder folder;
    std::string id;
    {
        auto first = start(folder.name);
        id = first.spool->new_id();
        REQUIRE(store(*first.spool, id, "x").has_value());
    }
    SECTION("its entries") {
        auto index = std::move(*LogIndex::open(folder.name + "/index"));
        std::fstream file(folder.name + "/index/data.mdb", std::ios::in | std::ios::out | std::ios::binary);
        std::string octets((std::istreambuf_iterator<char>(file)), {});
        for (auto at = octets.find("b.example"); at != std::string::npos; at = octets.find("b.example", at + 1)) {
            file.clear();
            file.seekp(static_cast<std::streamoff>(at));
            file << "c";
        }
        file.close();
        index.reset();
    }
    SECTION("the file") { std::ofstream(folder.name + "/index/data.mdb") << std::string(40000, 'x'); }
    auto again = start(folder.name);
    CHECK(again.damaged.size() == 1);
    REQUIRE(again.waiting.contains(id));
    CHECK(again.waiting[id].due.front().domain == "b.example");
}

TEST_CASE("a damaged record is set aside and named, and stops nothing else", "[log-spool]") {
    Folder folder;
    std::vector<std::string> ids;
    {
        auto first = start(folder.name);
        for (int i = 0; i < 5; ++i) {
            ids.push_back(first.spool->new_id());
            REQUIRE(store(*first.spool, ids.back(), "message number " + std::to_string(i)).has_value());
        }
        std::ofstream(folder.name + "/log/stray") << "x";
        crash(folder.name, folder.name + "-crashed");
    }
    fs::remove_all(folder.name);
    fs::rename(folder.name + "-crashed", folder.name);
    const auto segment = folder.name + "/log/00000001.log";
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    std::string octets((std::istreambuf_iterator<char>(file)), {});
    file.clear();
    file.seekp(static_cast<std::streamoff>(octets.find("message number 2")));
    file << "massage";
    file.close();
    auto again = start(folder.name);
    CHECK(again.waiting.size() == 4);
    CHECK_FALSE(again.waiting.contains(ids[2]));
    CHECK(again.damaged.size() == 2);
    CHECK(fs::exists(folder.name + "/damaged/stray"));
    CHECK(fs::exists(folder.name + "/damaged/00000001.log-" + std::to_string(4096 * 3)));
    CHECK(octets_of(*again.spool, ids[4]) == "message number 4");
}

TEST_CASE("a body that rots in its file is never read to its end", "[log-spool]") {
    Folder folder;
    auto first = start(folder.name);
    const auto id = first.spool->new_id();
    REQUIRE(store(*first.spool, id, std::string(200000, 'x')).has_value());
    std::fstream file(folder.name + "/bodies/" + id, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100000);
    file << "y";
    file.close();
    CHECK(octets_of(*first.spool, id).starts_with("cannot read"));
}

TEST_CASE("a disk that fails at the n-th call, for every n, loses nothing that was acknowledged", "[log-spool]") {
    for (const int error : {EIO, ENOSPC})
        for (int n = 0;; ++n) {
            Folder folder;
            FailingDisk disk;
            disk.error = error;
            std::vector<std::string> acknowledged, refused;
            {
                auto first = start(folder.name, disk);
                disk.left = n;
                for (const std::size_t size : {10u, 100000u, 20u}) {
                    const auto id = first.spool->new_id();
                    (store(*first.spool, id, std::string(size, 'x')) ? acknowledged : refused).push_back(id);
                }
                const bool all_went = disk.left > 0;
                disk.left = 1 << 30;
                // It resumes by itself, in another segment.
                const auto id = first.spool->new_id();
                REQUIRE(store(*first.spool, id, "afterwards").has_value());
                acknowledged.push_back(id);
                for (const auto& one : acknowledged)
                    CHECK(octets_of(*first.spool, one).find("cannot") == std::string::npos);
                crash(folder.name, folder.name + "-crashed");
                if (all_went) {
                    fs::remove_all(folder.name + "-crashed");
                    break;
                }
            }
            auto again = start(folder.name + "-crashed");
            INFO("n " << n << " error " << error);
            for (const auto& id : acknowledged) CHECK(again.waiting.contains(id));
            for (const auto& id : refused) CHECK_FALSE(again.waiting.contains(id));
            CHECK(again.damaged.empty());
            again.spool.reset();
            fs::remove_all(folder.name + "-crashed");
            REQUIRE(n < 100);
        }
}

TEST_CASE("an envelope longer than a segment is recorded, and overwrites nothing", "[log-spool]") {
    Folder folder;
    std::vector<std::string> ids;
    {
        auto first = start(folder.name);
        for (int i = 0; i < 3; ++i) {
            ids.push_back(first.spool->new_id());
            REQUIRE(store(*first.spool, ids.back(), "message").has_value());
        }
        auto long_one = message(ids[1], 7, 3000);
        for (auto& to : long_one.recipients) to.text = std::string(900, 't');
        CHECK(update_and_wait(*first.spool, long_one).has_value());
        ids.push_back(first.spool->new_id());
        REQUIRE(store(*first.spool, ids.back(), "message").has_value());
        crash(folder.name, folder.name + "-crashed");
    }
    auto again = start(folder.name + "-crashed");
    CHECK(again.damaged.empty());
    CHECK(again.waiting.size() == ids.size());
    for (const auto& id : ids) CHECK(octets_of(*again.spool, id) == "message");
    const auto loaded = again.spool->load(ids[1]);
    REQUIRE(loaded.has_value());
    CHECK(loaded->recipients.size() == 3000);
    again.spool.reset();
    fs::remove_all(folder.name + "-crashed");
}

TEST_CASE("segments of which little is needed are compacted and used again; nothing is lost on the way",
          "[log-spool]") {
    Folder folder;
    std::string old_one, old_large;
    std::size_t most = 0;
    {
        auto started = start(folder.name);
        auto& spool = dynamic_cast<LogSpool&>(*started.spool);
        Upkeep upkeep(spool);
        old_one = spool.new_id(), old_large = spool.new_id();
        REQUIRE(store(spool, old_one, "the old one").has_value());
        REQUIRE(store(spool, old_large, std::string(100000, 'l')).has_value());
        const std::string body(60000, 'b');
        // Four segments full of mail that comes and goes.
        for (int i = 0; i < 100; ++i) {
            const auto id = spool.new_id();
            auto incoming = std::move(*spool.begin());
            REQUIRE(incoming->append(body).has_value());
            std::atomic<bool> removed{false};
            REQUIRE(commit_and_wait(*incoming, message(id, body.size())).has_value());
            spool.remove(id, [&](const Result<void>&) { removed = true, removed.notify_all(); });
            removed.wait(false);
            if (i % 10 == 9) {
                upkeep.checkpoint();
                upkeep.recycle();
                upkeep.compact();
                upkeep.checkpoint();
                upkeep.recycle();
                std::size_t files = 0;
                for (const auto& one : fs::directory_iterator(folder.name + "/log"))
                    files += one.path().extension() == ".log";
                most = std::max(most, files);
            }
        }
        upkeep.stop();
    }
    CHECK(most <= 3);
    for (const bool index_lost : {false, true}) {
        if (index_lost) fs::remove_all(folder.name + "/index");
        auto again = start(folder.name);
        CHECK(again.waiting.size() == 2);
        CHECK(octets_of(*again.spool, old_one) == "the old one");
        CHECK(octets_of(*again.spool, old_large) == std::string(100000, 'l'));
    }
}
