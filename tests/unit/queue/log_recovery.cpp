#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <queue/envelope_text.hpp>
#include <queue/log_spool.hpp>
#include <queue/record.hpp>
#include <unit/queue/folder.hpp>

using namespace postern;
using namespace postern::queue;
namespace fs = std::filesystem;

namespace {

LogOptions without_clock() {
    LogOptions options;
    options.checkpoint_every = std::chrono::milliseconds(0);
    options.segment_size = 1u << 20;
    return options;
}

struct Started {
    explicit Started(const std::string& folder) : spool(std::move(*open_log_spool(folder, without_clock()))) {
        const auto found = [&](const Waiting& one) { waiting.push_back(one.id); };
        REQUIRE(spool->recover(found, damaged).has_value());
    }
    std::unique_ptr<Spool> spool;
    std::vector<std::string> waiting, damaged;
};

std::string store(Spool& spool, std::size_t size) {
    QueuedMessage one;
    one.id = spool.new_id();
    one.sender = "a@a.example";
    one.size = size;
    one.recipients.emplace_back().address = "b@b.example";
    auto incoming = std::move(*spool.begin());
    REQUIRE(incoming->append(std::string(size, 'x')).has_value());
    REQUIRE(commit_and_wait(*incoming, one).has_value());
    return one.id;
}

std::string octets_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, std::size_t at, const std::string& octets) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << octets;
}

// A spool with messages of these sizes, as a crash leaves it: nothing of it is in the index.
std::vector<std::string> crashed(const std::string& folder, std::initializer_list<std::size_t> sizes) {
    std::vector<std::string> ids;
    {
        Started first(folder + "/alive");
        for (const auto size : sizes) ids.push_back(store(*first.spool, size));
        fs::copy(folder + "/alive", folder + "/spool", fs::copy_options::recursive);
    }
    return ids;
}

}  // namespace

TEST_CASE("the body of a message whose record cannot be read is set aside, not removed", "[log-spool]") {
    Folder folder;
    const auto ids = crashed(folder.name, {100000, 100001, 10});
    const auto segment = folder.name + "/spool/log/00000001.log";
    put(segment, octets_of(segment).find("id " + ids[0]), "XX");
    Started again(folder.name + "/spool");
    std::ranges::sort(again.waiting);
    CHECK(again.waiting == std::vector<std::string>{ids[1], ids[2]});
    CHECK(octets_of(folder.name + "/spool/damaged/" + ids[0]) == std::string(100000, 'x'));
    CHECK(again.damaged.size() == 2);
}

TEST_CASE("a record that this version cannot take is kept for one that can", "[log-spool]") {
    Folder folder;
    const auto ids = crashed(folder.name, {10});
    const auto segment = folder.name + "/spool/log/00000001.log";
    const auto octets = octets_of(segment);
    const auto epoch = segment_header(octets)->epoch;
    MessageHeader about;
    about.body_size = 4;
    auto record = message_record(*key_of("0123456789ABCDEF01"), "postern-envelope 9\nwhatever", about, "body");
    seal(record, epoch);
    // Behind the one batch that is there.
    put(segment, 2 * block, batch_header(epoch, 2 * block, static_cast<std::uint32_t>(record.size())) + record);
    Started again(folder.name + "/spool");
    CHECK(again.waiting == ids);
    REQUIRE(again.damaged.size() == 1);
    const auto kept = octets_of(folder.name + "/spool/damaged/0123456789ABCDEF01.record");
    CHECK(kept.find("postern-envelope 9") != std::string::npos);
    CHECK(kept.ends_with("body"));
}

TEST_CASE("the envelope of a message whose body is missing is set aside", "[log-spool]") {
    Folder folder;
    const auto ids = crashed(folder.name, {100000});
    fs::remove(folder.name + "/spool/bodies/" + ids[0]);
    Started again(folder.name + "/spool");
    CHECK(again.waiting.empty());
    const auto kept = parse_envelope(octets_of(folder.name + "/spool/damaged/" + ids[0] + ".envelope"));
    REQUIRE(kept.has_value());
    CHECK(kept->recipients.front().address == "b@b.example");
}
