// What keeping a message durably costs, by the ways that were weighed for the queue: a log with one write and one
// fdatasync a group, LMDB with one transaction a group, and the file-a-message spool. Each message is stored and then
// removed, as a queue does. Prints JSON: durable messages a second of the clock, CPU microseconds a message.
#include <fcntl.h>
#include <lmdb.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <queue/file_spool.hpp>
#include <string>
#include <vector>

using namespace postern;

namespace {

constexpr std::size_t octets = 4096, envelope_octets = 300;

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(1);
}

double cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Groups as a group commit forms them: `store` keeps that many durably, `drop` removes them durably.
void measure(const std::string& name, std::size_t group, std::size_t groups,
             const std::function<void(std::size_t)>& store, const std::function<void(std::size_t)>& drop) {
    const auto began = std::chrono::steady_clock::now();
    const auto cpu = cpu_seconds();
    for (std::size_t i = 0; i < groups; ++i) {
        store(i);
        drop(i);
    }
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const auto count = static_cast<double>(group * groups);
    std::printf("{\"way\": \"%s\", \"group\": %zu, \"messages_a_second\": %.0f, \"cpu_microseconds\": %.1f}\n",
                name.c_str(), group, count / took, (cpu_seconds() - cpu) * 1e6 / count);
    std::fflush(stdout);
}

void by_log(const std::string& folder, std::size_t group, std::size_t groups, bool written) {
    const auto path = folder + "/log";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    constexpr off_t size = 64 << 20;
    if (fd < 0 || ::posix_fallocate(fd, 0, size) != 0) give_up("log");
    const std::string zeros(1 << 20, '\0');
    for (off_t at = 0; written && at < size; at += static_cast<off_t>(zeros.size()))
        if (::pwrite(fd, zeros.data(), zeros.size(), at) < 0) give_up("log");
    ::fsync(fd);
    const std::string message(octets + envelope_octets, 'x'), removal(64, 'r');
    off_t at = 0;
    const auto append = [&](const std::string& record) {
        std::vector<iovec> pieces(group, iovec{const_cast<char*>(record.data()), record.size()});
        const auto length = static_cast<off_t>((record.size() * group + 4095) / 4096 * 4096);
        if (at + length > size) at = 0;
        if (::pwritev(fd, pieces.data(), static_cast<int>(group), at) < 0 || ::fdatasync(fd) != 0) give_up("log");
        at += length;
    };
    measure(
        written ? "log, recycled segment" : "log, fresh segment", group, groups, [&](std::size_t) { append(message); },
        [&](std::size_t) { append(removal); });
    ::close(fd);
    ::unlink(path.c_str());
}

void by_lmdb(const std::string& folder, std::size_t group, std::size_t groups) {
    const auto path = folder + "/lmdb";
    std::filesystem::create_directories(path);
    MDB_env* env = nullptr;
    MDB_dbi db = 0;
    mdb_env_create(&env);
    mdb_env_set_mapsize(env, 1u << 30);
    if (mdb_env_open(env, path.c_str(), MDB_NORDAHEAD, 0600) != 0) give_up("lmdb");
    std::string message(octets + envelope_octets, 'x');
    const auto each = [&](std::size_t i, bool put) {
        MDB_txn* txn = nullptr;
        if (mdb_txn_begin(env, nullptr, 0, &txn) != 0) give_up("lmdb");
        if (db == 0) mdb_dbi_open(txn, nullptr, 0, &db);
        for (std::size_t one = 0; one < group; ++one) {
            char text[32];
            const auto length = static_cast<std::size_t>(std::snprintf(text, sizeof text, "%018zX", i * group + one));
            MDB_val key{length, text}, value{message.size(), message.data()};
            if ((put ? mdb_put(txn, db, &key, &value, 0) : mdb_del(txn, db, &key, nullptr)) != 0) give_up("lmdb");
        }
        if (mdb_txn_commit(txn) != 0) give_up("lmdb");
    };
    measure(
        "LMDB", group, groups, [&](std::size_t i) { each(i, true); }, [&](std::size_t i) { each(i, false); });
    mdb_env_close(env);
    std::filesystem::remove_all(path);
}

void by_files(const std::string& folder, std::size_t groups) {
    auto spool = std::move(*queue::open_file_spool(folder + "/files"));
    const std::string text(octets, 'x');
    std::string id;
    measure(
        "a file a message", 1, groups,
        [&](std::size_t) {
            queue::QueuedMessage message;
            message.id = id = spool->new_id();
            message.size = octets;
            message.recipients.emplace_back().address = "bob@contoso.com";
            auto incoming = std::move(*spool->begin());
            if (!incoming->append(text) || !queue::commit_and_wait(*incoming, message)) give_up("files");
        },
        [&](std::size_t) {
            if (!queue::remove_and_wait(*spool, id)) give_up("files");
        });
    std::filesystem::remove_all(folder + "/files");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return std::fprintf(stderr, "usage: bench_storing FOLDER\n"), 2;
    std::filesystem::create_directories(argv[1]);
    by_files(argv[1], 500);
    for (const std::size_t group : {1, 10, 50}) {
        const auto groups = 2000 / (group == 1 ? 1 : group / 5);
        by_log(argv[1], group, groups, false);
        by_log(argv[1], group, groups, true);
        by_lmdb(argv[1], group, groups);
    }
}
