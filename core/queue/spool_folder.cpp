#include <fcntl.h>
#include <sys/file.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <queue/crash_point.hpp>
#include <queue/disk.hpp>
#include <queue/file_spool.hpp>
#include <queue/log_spool.hpp>
#include <queue/spool_folder.hpp>
#include <thread>

namespace postern::queue {

namespace {

namespace fs = std::filesystem;

// Passes everything on; holds the lock as long as it lives.
class LockedSpool : public Spool {
public:
    LockedSpool(Descriptor lock, std::unique_ptr<Spool> spool) : lock_(std::move(lock)), spool_(std::move(spool)) {}
    std::string new_id() override { return spool_->new_id(); }
    Result<std::unique_ptr<Incoming>> begin() override { return spool_->begin(); }
    Result<Ref<StoredBody>> open(const std::string& id) override { return spool_->open(id); }
    Ref<StoredBody> at_hand(const std::string& id) override { return spool_->at_hand(id); }
    Result<QueuedMessage> load(const std::string& id) override { return spool_->load(id); }
    void update(const QueuedMessage& message, Done done) override { spool_->update(message, std::move(done)); }
    void remove(const std::string& id, Done done) override { spool_->remove(id, std::move(done)); }
    Result<std::vector<MessageKey>> keys() const override { return spool_->keys(); }
    Result<void> recover(const std::function<void(Waiting)>& found, std::vector<std::string>& damaged) override {
        return spool_->recover(found, damaged);
    }
    SpoolHealth health() const override { return spool_->health(); }

private:
    Descriptor lock_;  // let go last
    std::unique_ptr<Spool> spool_;
};

Result<Descriptor> lock(const std::string& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    const auto path = folder + "/lock";
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.good()) return Problem{"start-failed", "spool " + path + ": " + std::strerror(errno)};
    // One that was killed a moment ago holds it until the kernel has taken it apart.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    bool locked = false;
    while (!(locked = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (!locked)
        return Problem{"spool-in-use", "spool " + folder + " is in use by another process; is posternd running?"};
    return file;
}

bool anything_in(const std::string& folder) {
    std::error_code error;
    const fs::directory_iterator first(folder, error);
    return !error && first != fs::directory_iterator();
}

// "" where nothing was ever put there.
std::string kind_of(const std::string& folder) {
    std::string word;
    std::ifstream(folder + "/format") >> word;
    if (word == "log" || word == "files") return word;
    // From before there was a log, nobody wrote it down.
    return anything_in(folder + "/queue") ? "files" : anything_in(folder + "/log") ? "log" : "";
}

Result<void> write_kind(const std::string& folder, const std::string& format) {
    auto& disk = Disk::real();
    const auto fresh = folder + "/format.new";
    std::string text = format + "\n";
    iovec piece{text.data(), text.size()};
    {
        const Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file.good() || !disk.write_at(file.get(), {&piece, 1}, 0) || !disk.sync_data(file.get()))
            return Problem{"start-failed", "spool " + fresh + ": " + std::strerror(errno)};
    }
    if (!disk.rename(fresh, folder + "/format") || !disk.sync_folder(folder))
        return Problem{"start-failed", "spool " + folder + "/format: " + std::strerror(errno)};
    return {};
}

Result<std::unique_ptr<Spool>> open_kind(const std::string& folder, const std::string& format,
                                         std::function<void(const Problem&)> tell = {}) {
    LogOptions options;
    options.tell = std::move(tell);
    return format == "files" ? open_file_spool(folder) : open_log_spool(folder, options);
}

void remove_kind(const std::string& folder, const std::string& format) {
    std::error_code ignored;
    if (format == "files") fs::remove_all(folder + "/queue", ignored);
    else
        for (const auto* part : {"/log", "/index", "/bodies"}) fs::remove_all(folder + part, ignored);
}

Result<void> copy(Spool& from, Spool& to, const std::string& id) {
    auto message = from.load(id);
    if (!message) return message.error();
    auto source = from.open(id);
    if (!source) return source.error();
    auto incoming = to.begin();
    if (!incoming) return incoming.error();
    std::array<std::uint8_t, 65536> octets;
    for (std::uint64_t at = 0;;) {
        const auto count = (*source)->read_at(at, octets);
        if (!count) return Problem{"spool-damaged", id + ": " + count.failure.text};
        if (*count == 0) break;
        at += *count;
        const std::string_view piece(reinterpret_cast<const char*>(octets.data()), *count);
        if (auto stored = (*incoming)->append(piece); !stored) return stored;
    }
    return commit_and_wait(**incoming, *message);
}

}  // namespace

Result<std::unique_ptr<Spool>> open_spool(const std::string& folder, const std::string& format,
                                          std::function<void(const Problem&)> tell) {
    auto locked = lock(folder);
    if (!locked) return locked.error();
    const auto kind = kind_of(folder);
    if (kind == "files" && format == "log" && anything_in(folder + "/queue"))
        return Problem{"start-failed", "spool " + folder +
                                           " holds mail as files, and spool_format is log: move it with postern queue "
                                           "convert log, or set spool_format files"};
    if (kind == "log" && format == "files")
        return Problem{"start-failed",
                       "spool " + folder +
                           " holds mail as a log, and spool_format is files: move it with postern queue "
                           "convert files, or set spool_format log"};
    if (kind != format)
        if (auto written = write_kind(folder, format); !written) return written.error();
    auto opened = open_kind(folder, format, std::move(tell));
    if (!opened) return opened;
    return std::unique_ptr<Spool>(std::make_unique<LockedSpool>(std::move(*locked), std::move(*opened)));
}

Result<std::size_t> convert_spool(const std::string& folder, const std::string& format) {
    auto locked = lock(folder);
    if (!locked) return locked.error();
    const auto kind = kind_of(folder);
    if (kind == format || kind.empty()) return std::size_t{0};
    remove_kind(folder, format);  // what an interrupted conversion left
    std::vector<std::string> ids, damaged;
    {
        auto from = open_kind(folder, kind), to = open_kind(folder, format);
        if (!from) return from.error();
        if (!to) return to.error();
        const auto found = [&](const Waiting& waiting) { ids.push_back(waiting.id); };
        if (auto recovered = (*from)->recover(found, damaged); !recovered) return recovered.error();
        const auto none = [](const Waiting&) {};
        if (auto recovered = (*to)->recover(none, damaged); !recovered) return recovered.error();
        for (const auto& id : ids) {
            if (auto copied = copy(**from, **to, id); !copied) return copied.error();
            crash_point("convert.one");
        }
    }
    crash_point("convert.copied");
    if (auto written = write_kind(folder, format); !written) return written.error();
    crash_point("convert.named");
    remove_kind(folder, kind);
    return ids.size();
}

}  // namespace postern::queue
