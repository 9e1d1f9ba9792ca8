#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <queue/crash_point.hpp>
#include <queue/envelope_text.hpp>
#include <queue/file_spool.hpp>
#include <queue/message_id.hpp>
#include <queue/task_threads.hpp>

namespace postern::queue {

namespace {

namespace fs = std::filesystem;

// Below this the spool is "full": room for what is under way and for the envelopes of what waits.
constexpr std::uint64_t reserve = 16u << 20;

Problem problem(const std::string& what, const std::string& path) {
    return {"spool-failing", what + " " + path + ": " + std::strerror(errno)};
}

class File {
public:
    File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    bool good() const { return fd_ >= 0; }
    int get() const { return fd_; }
    bool write(std::string_view octets) const {
        while (!octets.empty()) {
            const auto count = ::write(fd_, octets.data(), octets.size());
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return false;
            octets.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }
    bool sync() const { return ::fsync(fd_) == 0; }

private:
    int fd_;
};

bool sync_folder(const std::string& path) {
    const File folder(path, O_RDONLY | O_DIRECTORY);
    return folder.good() && folder.sync();
}

class StoredMessage : public StoredBody {
public:
    explicit StoredMessage(const std::string& path) : file_(path, O_RDONLY), path_(path) {}
    bool good() const { return file_.good(); }
    Outcome<std::uint64_t> size() override {
        struct stat status {};
        if (::fstat(file_.get(), &status) != 0) return Failure{"spool-damaged", "cannot stat " + path_};
        return static_cast<std::uint64_t>(status.st_size);
    }
    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> into) override {
        const auto count = ::pread(file_.get(), into.data(), into.size(), static_cast<off_t>(offset));
        if (count < 0) return Failure{"spool-damaged", "cannot read " + path_ + ": " + std::strerror(errno)};
        return static_cast<std::size_t>(count);
    }

private:
    File file_;
    std::string path_;
};

class FileSpool;

class FileIncoming : public Incoming {
public:
    FileIncoming(FileSpool& spool, std::string path)
        : spool_(spool), path_(std::move(path)), file_(std::make_shared<File>(path_, O_WRONLY | O_CREAT | O_EXCL)) {}
    ~FileIncoming() override {
        if (!committed_) ::unlink(path_.c_str());
    }
    bool good() const { return file_->good(); }
    Result<void> append(std::string_view octets) override;
    void commit(const QueuedMessage& message, Done done) override;

private:
    friend class FileSpool;

    FileSpool& spool_;
    std::string path_;
    std::shared_ptr<File> file_;
    bool committed_ = false;
};

class FileSpool : public Spool {
public:
    explicit FileSpool(std::string folder) : folder_(std::move(folder)) {}

    std::string new_id() override { return ids_.next(); }

    Result<std::unique_ptr<Incoming>> begin() override {
        auto incoming = std::make_unique<FileIncoming>(*this, folder_ + "/incoming/" + new_id());
        if (!incoming->good()) return failed(problem("cannot create a file in", folder_ + "/incoming"));
        return std::unique_ptr<Incoming>(std::move(incoming));
    }

    Result<Ref<StoredBody>> open(const std::string& id) override {
        Ref<StoredMessage> stored(new StoredMessage(body(id)));
        if (!stored->good()) return problem("cannot open", body(id));
        return Ref<StoredBody>(stored);
    }

    Result<QueuedMessage> load(const std::string& id) override;

    void update(const QueuedMessage& message, Done done) override {
        in_turn(message.id, [this, message, done = std::move(done)] { done(write_envelope(message)); });
    }

    void remove(const std::string& id, Done done) override {
        in_turn(id, [this, id, done = std::move(done)] { done(remove_files(id)); });
    }
    Result<std::vector<MessageKey>> keys() const override;

    Result<void> remove_files(const std::string& id) {
        // The envelope first: without it the body is nobody's, the other way round it would be a damaged message.
        if (::unlink(envelope(id).c_str()) != 0 && errno != ENOENT)
            return failed(problem("cannot remove", envelope(id)));
        if (!sync_folder(folder_ + "/queue")) return failed(problem("cannot sync", folder_ + "/queue"));
        crash_point("files.forgotten");
        ::unlink(body(id).c_str());
        return {};
    }

    Result<void> recover(const std::function<void(Waiting)>& found, std::vector<std::string>& damaged) override;

    SpoolHealth health() const override {
        struct statvfs status {};
        if (::statvfs(folder_.c_str(), &status) != 0) return SpoolHealth::failing;
        if (status.f_bavail * status.f_frsize < reserve || (status.f_files && status.f_favail < 16))
            return SpoolHealth::full;
        const auto until = failing_until_.load();
        return until && std::chrono::steady_clock::now().time_since_epoch().count() < until ? SpoolHealth::failing
                                                                                            : SpoolHealth::good;
    }

    // Remembered for some seconds, so that MAIL is answered early; then the next message is the probe.
    Problem failed(Problem what) {
        if (errno != ENOSPC && errno != EDQUOT)
            failing_until_ = (std::chrono::steady_clock::now() + std::chrono::seconds(5)).time_since_epoch().count();
        return what;
    }

    std::string body(const std::string& id) const { return folder_ + "/queue/" + id + ".msg"; }
    std::string envelope(const std::string& id) const { return folder_ + "/queue/" + id + ".env"; }
    Result<void> write_envelope(const QueuedMessage& message);
    Result<void> store(const std::string& path, const File& file, const QueuedMessage& message);

    // One thread a message: what is said later about it happens later.
    void in_turn(const std::string& id, std::function<void()> task) {
        threads_[std::hash<std::string>()(id) % threads_.size()].run(std::move(task));
    }

private:
    void set_aside(const std::string& name) const {
        std::error_code ignored;
        fs::rename(folder_ + "/queue/" + name, folder_ + "/damaged/" + name, ignored);
    }

    std::string folder_;
    MessageIds ids_;
    std::atomic<std::chrono::steady_clock::rep> failing_until_{0};
    std::array<TaskThreads, 8> threads_;
};

Result<void> FileIncoming::append(std::string_view octets) {
    if (!file_->write(octets)) return spool_.failed(problem("cannot write", path_));
    return {};
}

void FileIncoming::commit(const QueuedMessage& message, Done done) {
    committed_ = true;  // from here on the file is the task's
    spool_.in_turn(message.id, [spool = &spool_, path = path_, file = file_, message, done = std::move(done)] {
        auto stored = spool->store(path, *file, message);
        if (!stored) ::unlink(path.c_str());
        done(std::move(stored));
    });
}

Result<void> FileSpool::store(const std::string& path, const File& file, const QueuedMessage& message) {
    // A failed sync may have dropped the pages: this file is given up, never synced again.
    if (!file.sync()) return failed(problem("cannot sync", path));
    crash_point("files.synced");
    const auto stored = body(message.id);
    if (::rename(path.c_str(), stored.c_str()) != 0) return failed(problem("cannot rename", path));
    crash_point("files.moved");
    if (auto written = write_envelope(message); !written) {
        ::unlink(envelope(message.id).c_str());
        ::unlink(stored.c_str());
        return written;
    }
    return {};
}

Result<void> FileSpool::write_envelope(const QueuedMessage& message) {
    const auto fresh = folder_ + "/incoming/" + message.id + ".env";
    {
        const File file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
        if (!file.good() || !file.write(to_text(message)) || !file.sync()) {
            auto why = failed(problem("cannot write", fresh));
            ::unlink(fresh.c_str());
            return why;
        }
    }
    if (::rename(fresh.c_str(), envelope(message.id).c_str()) != 0) return failed(problem("cannot rename", fresh));
    if (!sync_folder(folder_ + "/queue")) return failed(problem("cannot sync", folder_ + "/queue"));
    crash_point("files.named");
    return {};
}

std::string read_whole(const std::string& path) {
    std::string text;
    const File file(path, O_RDONLY);
    std::array<char, 16384> octets;
    for (ssize_t count; (count = ::read(file.get(), octets.data(), octets.size())) > 0;)
        text.append(octets.data(), static_cast<std::size_t>(count));
    return text;
}

Result<QueuedMessage> FileSpool::load(const std::string& id) {
    if (::access(envelope(id).c_str(), R_OK) != 0) {
        if (errno == ENOENT) return Problem{"not-in-spool", "no message " + id + " is in the spool"};
        return problem("cannot read", envelope(id));
    }
    return parse_envelope(read_whole(envelope(id)));
}

Result<std::vector<MessageKey>> FileSpool::keys() const {
    std::vector<MessageKey> all;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_ + "/queue", error)) {
        const auto name = entry.path().filename().string();
        if (!name.ends_with(".env")) continue;
        if (const auto key = key_of(std::string_view(name).substr(0, name.size() - 4))) all.push_back(*key);
    }
    if (error) return Problem{"spool-failing", "cannot read " + folder_ + "/queue: " + error.message()};
    std::ranges::sort(all);
    return all;
}

Result<void> FileSpool::recover(const std::function<void(Waiting)>& found, std::vector<std::string>& damaged) {
    std::error_code error;
    // Never acknowledged: a crash between 354 and 250.
    for (const auto& left : fs::directory_iterator(folder_ + "/incoming", error)) fs::remove(left.path(), error);
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ + "/queue", error))
        names.push_back(entry.path().filename());
    if (error) return Problem{"spool-failing", "cannot read " + folder_ + "/queue: " + error.message()};
    for (const auto& name : names) {
        const auto id = name.substr(0, name.rfind('.'));
        const bool is_body = name.ends_with(".msg"), is_envelope = name.ends_with(".env");
        if (is_body && !fs::exists(envelope(id), error)) {
            fs::remove(body(id), error);
        } else if (is_envelope) {
            auto message = parse_envelope(read_whole(envelope(id)));
            const bool whole = message && message->id == id && fs::exists(body(id), error) &&
                               fs::file_size(body(id), error) == message->size;
            if (whole) {
                found(waiting_of(*message));
                continue;
            }
            damaged.push_back(name + (message
                                          ? ": its body is missing or not " + std::to_string(message->size) + " octets"
                                          : ": " + message.error().text));
            set_aside(name);
            set_aside(id + ".msg");
        } else if (!is_body) {
            damaged.push_back(name + ": is no file of this spool");
            set_aside(name);
        }
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Spool>> open_file_spool(const std::string& folder) {
    for (const auto* part : {"", "/incoming", "/queue", "/damaged"}) {
        std::error_code error;
        fs::create_directories(folder + part, error);
        if (error) return Problem{"start-failed", "spool " + folder + part + ": " + error.message()};
        fs::permissions(folder + part, fs::perms::owner_all, error);
        if (error) return Problem{"start-failed", "spool " + folder + part + ": " + error.message()};
    }
    return std::unique_ptr<Spool>(std::make_unique<FileSpool>(folder));
}

}  // namespace postern::queue
