// Places while the index cannot be read: a real one, which finds no descriptor when it has to be opened anew. What
// changes meanwhile is known to nobody as it was before, and is made up for as soon as the index is there again.
#include <stdlib.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <queue/log_index.hpp>

using namespace postern;
using namespace postern::queue;

namespace {

const MessageKey first{0x186a1b2c3d4e5f60, 1}, second{0x186a1b2c3d4e5f60, 2};

std::string new_folder() {
    std::string path = "/tmp/postern-places-XXXXXX";
    return ::mkdtemp(path.data());
}

// Beyond what is open already nothing can be opened.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{0, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

Change change(RecordKind kind, const MessageKey& key, std::uint32_t at, bool waits, std::uint32_t segment = 1) {
    Change made{kind, key, segment, at, 100, 0, false, {}};
    if (waits) {
        made.waiting = Waiting{};
        made.waiting->id = id_of(key);
        made.waiting->due.push_back({"contoso.com", "", "", {}});
    }
    return made;
}

struct World {
    World() : folder(new_folder()), index(std::move(*LogIndex::open(folder))) {
        places.look_in(index.get());
        apply({change(RecordKind::message, first, 0, true), change(RecordKind::message, second, 500, true)}, {1, 4096});
        REQUIRE(checkpoint() == LogPosition{1, 4096});
    }
    ~World() { std::filesystem::remove_all(folder); }

    std::vector<MessageKey> apply(std::vector<Change> changes, LogPosition position) {
        return places.apply(changes, position);
    }
    // The position from which a start would read the log.
    LogPosition checkpoint() {
        LogPosition position;
        auto changes = places.take_changes(position);
        if (index->write(changes, position, {})) places.written();
        else places.give_back(std::move(changes));
        return index->head().position;
    }
    // A write that fails, and then nothing can be opened.
    void lose_index() {
        const std::vector<IndexChange> impossible{{MessageKey{0x186a1b2c3d4e5f60, 9}, Place{}, std::nullopt}};
        auto written = [&] {
            const NoDescriptors none;  // the sanitizers want some, too
            return index->write(impossible, {1, 4096}, {});
        }();
        REQUIRE_FALSE(written.has_value());
        REQUIRE_FALSE(index->place(first).has_value());
    }
    std::vector<IndexChange> row(const MessageKey& key) {
        std::vector<IndexChange> found;
        (void)index->read([&](const MessageKey& one, const Place& place, Waiting waiting) {
            if (one == key) found.push_back({one, place, std::move(waiting)});
        });
        return found;
    }

    std::string folder;
    std::unique_ptr<LogIndex> index;
    Places places;
};

}  // namespace

TEST_CASE("an envelope written while the index cannot be read is the message's when it can be read", "[places]") {
    World world;
    const auto needed = world.places.needed_octets(1);
    world.lose_index();
    world.apply({change(RecordKind::envelope, first, 4096, true, 2)}, {2, 8192});
    // Not what it was before: that envelope still names who has the message already.
    CHECK_FALSE(world.places.find(first).has_value());
    CHECK(world.checkpoint() == LogPosition{1, 4096});  // the write of it opens the index anew
    CHECK_FALSE(world.places.find(first).has_value());
    world.checkpoint();
    const auto now = world.places.find(first);
    REQUIRE(now.has_value());
    REQUIRE(now->has_value());
    CHECK((*now)->envelope_segment == 2);
    CHECK((*now)->body_segment == 1);
    // The segment that holds it is needed, and a start need not read that part of the log again.
    CHECK(world.places.needed_octets(2) > 0);
    CHECK(world.places.needed_octets(1) == needed);
    CHECK(world.checkpoint() == LogPosition{2, 8192});
    REQUIRE(world.row(first).size() == 1);
    CHECK(world.row(first).front().place->envelope_segment == 2);
}

TEST_CASE("a removal written while the index cannot be read removes it from the index, and its octets", "[places]") {
    World world;
    const auto needed = world.places.needed_octets(1);
    world.lose_index();
    auto removal = change(RecordKind::removal, first, 4096, false, 2);
    removal.refers = 1;
    world.apply({std::move(removal)}, {2, 8192});
    CHECK(world.places.oldest_refers(2) == 1);
    world.checkpoint();
    CHECK(world.checkpoint() == LogPosition{2, 8192});
    CHECK(world.row(first).empty());
    CHECK(world.row(second).size() == 1);
    const auto gone = world.places.find(first);
    REQUIRE(gone.has_value());
    CHECK_FALSE(gone->has_value());
    CHECK(world.places.needed_octets(1) == needed / 2);
}

TEST_CASE("what changes again before the index is back changes in that order", "[places]") {
    World world;
    world.lose_index();
    world.apply({change(RecordKind::envelope, first, 4096, true, 2)}, {2, 8192});
    world.apply({change(RecordKind::envelope, second, 8192, true, 2)}, {2, 12288});
    world.apply({change(RecordKind::removal, first, 12288, false, 2)}, {2, 16384});
    // Of what is new the index need not be asked.
    const MessageKey third{0x186a1b2c3d4e5f60, 3};
    world.apply({change(RecordKind::message, third, 16384, true, 2)}, {2, 20480});
    REQUIRE(world.places.find(third).has_value());
    CHECK(world.places.find(third)->has_value());
    for (int i = 0; i < 3; ++i) world.checkpoint();
    CHECK(world.row(first).empty());
    REQUIRE(world.row(second).size() == 1);
    CHECK(world.row(second).front().place->envelope_at == 8192);
    CHECK(world.row(third).size() == 1);
    CHECK(world.index->head().position == LogPosition{2, 20480});
}
