#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <queue/checksum.hpp>
#include <queue/crash_point.hpp>
#include <queue/envelope_text.hpp>
#include <queue/log_parts.hpp>

namespace postern::queue {

namespace {

constexpr std::size_t most_in_log = 64u << 10;
constexpr std::uint64_t reserve = 16u << 20;  // room for what is under way
constexpr auto failing_for = std::chrono::seconds(5);

Problem problem(const std::string& what, const std::string& path) {
    return {"spool-failing", what + " " + path + ": " + std::strerror(errno)};
}

Problem unknown(const std::string& id) { return {"not-in-spool", "no message " + id + " is in the spool"}; }

Problem lost(const MessageKey& key) {
    return {"spool-damaged", id_of(key) + ": the segment of the log that held it is gone"};
}

std::int64_t now_ticks() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

// A body in the log: read whole and checked at the first read.
class LoggedBody : public StoredBody {
public:
    LoggedBody(const LogSpool& spool, MessageKey key) : spool_(spool), key_(key) {}
    Outcome<std::uint64_t> size() override {
        std::lock_guard lock(mutex_);
        if (auto read = load(); !read) return Failure{std::string(read.error().id), read.error().text};
        return static_cast<std::uint64_t>(body_.size());
    }
    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> into) override {
        std::lock_guard lock(mutex_);
        if (auto read = load(); !read) return Failure{std::string(read.error().id), read.error().text};
        if (offset >= body_.size()) return std::size_t{0};
        const auto count = std::min<std::size_t>(into.size(), body_.size() - offset);
        std::memcpy(into.data(), body_.data() + offset, count);
        return count;
    }

private:
    Result<void> load() {
        if (loaded_) return {};
        auto read = spool_.read_body_record(key_);
        if (!read) return read.error();
        const auto parts = message_parts(*read);
        if (!parts || parts->header.in_file) return Problem{"spool-damaged", id_of(key_) + " has no body in the log"};
        body_ = parts->body;
        loaded_ = true;
        return {};
    }
    const LogSpool& spool_;
    MessageKey key_;
    std::mutex mutex_;
    bool loaded_ = false;
    std::string body_;
};

// A body that came in a moment ago.
class RecentBody : public StoredBody {
public:
    explicit RecentBody(RecentBodies::Body body) : body_(std::move(body)) {}
    Outcome<std::uint64_t> size() override { return static_cast<std::uint64_t>(body_->size()); }
    bool read_at_once(std::uint64_t offset, std::span<std::uint8_t> into) override {
        const auto count = read_at(offset, into);
        return count && *count == into.size();
    }
    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> into) override {
        if (offset >= body_->size()) return std::size_t{0};
        const auto count = std::min<std::size_t>(into.size(), body_->size() - offset);
        std::memcpy(into.data(), body_->data() + offset, count);
        return count;
    }

private:
    RecentBodies::Body body_;
};

// A body in a file: summed up as it is read from its beginning, so that the last piece of a damaged one is refused.
class FiledBody : public StoredBody {
public:
    FiledBody(Descriptor file, std::string path, MessageHeader about)
        : file_(std::move(file)), path_(std::move(path)), about_(about) {}
    Outcome<std::uint64_t> size() override { return about_.body_size; }
    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> into) override {
        if (offset >= about_.body_size) return std::size_t{0};
        const auto want = std::min<std::uint64_t>(into.size(), about_.body_size - offset);
        const auto octets = into.first(static_cast<std::size_t>(want));
        if (!read_whole_at(file_.get(), offset, octets)) return Failure{"spool-damaged", "cannot read " + path_};
        if (!sums_up(offset, octets)) return Failure{"spool-damaged", path_ + " is damaged: its checksum is wrong"};
        return octets.size();
    }
    bool read_at_once(std::uint64_t offset, std::span<std::uint8_t> into) override {
        return offset + into.size() <= about_.body_size && read_cached_at(file_.get(), offset, into) &&
               sums_up(offset, into);
    }

private:
    // Of a damaged piece nothing is summed up: read_at() meets it again, and tells.
    bool sums_up(std::uint64_t offset, std::span<const std::uint8_t> octets) {
        std::lock_guard lock(mutex_);
        if (offset != summed_) return true;
        const auto sum = crc32c({reinterpret_cast<const char*>(octets.data()), octets.size()}, sum_);
        if (offset + octets.size() == about_.body_size && sum != about_.body_sum) return false;
        sum_ = sum;
        summed_ += octets.size();
        return true;
    }
    Descriptor file_;
    std::string path_;
    MessageHeader about_;
    std::mutex mutex_;
    std::uint64_t summed_ = 0;
    std::uint32_t sum_ = 0;
};

}  // namespace

class LogIncoming : public Incoming {
public:
    explicit LogIncoming(LogSpool& spool) : spool_(spool) {}
    ~LogIncoming() override {
        if (!path_.empty() && !committed_) spool_.options_.disk->unlink(path_);
    }
    Result<void> append(std::string_view octets) override;
    void commit(const QueuedMessage& message, Done done) override;

private:
    Result<void> spill();
    Result<void> write_out(std::string_view more = {});  // behind what is buffered

    LogSpool& spool_;
    std::string buffer_;  // all of a small body; of a large one what is not written yet
    MessageHeader about_;
    std::shared_ptr<Descriptor> file_;
    std::string path_;
    std::uint64_t written_ = 0;
    bool committed_ = false;
};

Result<void> LogIncoming::append(std::string_view octets) {
    about_.body_size += octets.size();
    about_.body_sum = crc32c(octets, about_.body_sum);
    if (buffer_.size() + octets.size() <= most_in_log) {
        buffer_ += octets;
        return {};
    }
    if (path_.empty())
        if (auto spilled = spill(); !spilled) return spilled;
    return write_out(octets);
}

Result<void> LogIncoming::spill() {
    path_ = spool_.folder_ + "/incoming/" + spool_.new_id();
    file_ = std::make_shared<Descriptor>(spool_.options_.disk->create(path_));
    about_.in_file = 1;
    crash_point("body.begun");
    if (file_->good()) return {};
    auto why = problem("cannot create", path_);
    spool_.failed(why);
    return why;
}

Result<void> LogIncoming::write_out(std::string_view more) {
    std::array<iovec, 2> pieces{iovec{buffer_.data(), buffer_.size()},
                                iovec{const_cast<char*>(more.data()), more.size()}};
    if (!spool_.options_.disk->write_at(file_->get(), pieces, written_)) {
        auto why = problem("cannot write", path_);
        spool_.failed(why);
        return why;
    }
    written_ += buffer_.size() + more.size();
    buffer_.clear();
    return {};
}

void LogIncoming::commit(const QueuedMessage& message, Done done) {
    const auto key = key_of(message.id);
    if (!key) return done(Problem{"spool-failing", message.id + " is no id of this spool"});
    LogRequest request;
    request.waiting = waiting_of(message);
    request.done = std::move(done);
    if (path_.empty()) {
        request.record = message_record(*key, to_text(message), about_, buffer_);
        // Before it is durable: nobody asks for it until then. Where that fails it goes as the oldest goes.
        spool_.recent_.keep(*key, std::move(buffer_));
        return spool_.writer_.submit(std::move(request));
    }
    if (auto written = write_out(); !written) return request.done(written);
    request.in_file = true;
    request.record = message_record(*key, to_text(message), about_, {});
    committed_ = true;  // from here on the file is the task's
    auto task = [spool = &spool_, path = path_, file = file_, key = *key,
                 given = std::make_shared<LogRequest>(std::move(request))] {
        auto& disk = *spool->options_.disk;
        const auto stored = spool->body_path(key);
        const auto give_up = [&](const char* what) {
            const auto why = problem(what, path);
            disk.unlink(path);
            disk.unlink(stored);
            spool->failed(why);
            given->done(why);
        };
        if (!disk.sync_data(file->get())) return give_up("cannot sync");
        crash_point("body.synced");
        if (!disk.rename(path, stored)) return give_up("cannot rename");
        if (!disk.sync_folder(spool->folder_ + "/bodies")) return give_up("cannot sync the folder of");
        crash_point("body.moved");
        // Not kept after all: nor is the file.
        auto settled = [spool, stored, tell = std::move(given->done)](const Result<void>& result) {
            if (!result) spool->options_.disk->unlink(stored);
            tell(result);
        };
        given->done = std::move(settled);
        spool->writer_.submit(std::move(*given));
    };
    spool_.tasks_.run(std::move(task));
}

LogSpool::LogSpool(std::string folder, LogOptions options)
    : folder_(std::move(folder)),
      options_(options),
      segments_(*options.disk, folder_ + "/log", options.segment_size),
      upkeep_(std::make_unique<Upkeep>(*this)),
      writer_({*options.disk, segments_, places_, [this](const Problem& why) { failed(why); },
               [this](std::vector<MessageKey> keys) {
                   tasks_.run([this, keys = std::move(keys)] {
                       for (const auto& key : keys) options_.disk->unlink(body_path(key));
                       crash_point("body.removed");
                   });
               },
               [this] { upkeep_->segment_begun(); }}) {}

LogSpool::~LogSpool() {
    // Who waits for the writer ends before it does.
    upkeep_->stop();
    tasks_.wait_until_idle();
    writer_.stop();
    // A last checkpoint makes the next start short; without one it reads more of the log.
    if (index_) upkeep_->checkpoint();
}

Result<std::unique_ptr<Incoming>> LogSpool::begin() {
    return std::unique_ptr<Incoming>(std::make_unique<LogIncoming>(*this));
}

Result<Place> LogSpool::place_of(const MessageKey& key) const {
    auto found = places_.find(key);
    if (!found) return found.error();
    if (!*found) return unknown(id_of(key));
    return **found;
}

Result<std::string> LogSpool::read_body_record(const MessageKey& key) const {
    for (;;) {
        const auto place = place_of(key);
        if (!place) return place.error();
        Result<std::string> read = lost(key);
        if (const auto segment = segments_.get(place->body_segment))
            read = read_record(*segment, place->body_at, place->body_length, RecordKind::message, key);
        if (read) return read;
        const auto now = place_of(key);
        if (!now || now->is(*place)) return read;
    }
}

Result<std::string> LogSpool::read_envelope(const MessageKey& key, const Place& place) const {
    const bool apart = place.envelope_segment != 0;
    const auto segment = segments_.get(apart ? place.envelope_segment : place.body_segment);
    if (!segment) return lost(key);
    if (apart) return read_record(*segment, place.envelope_at, place.envelope_length, RecordKind::envelope, key);
    auto read = read_record(*segment, place.body_at, place.body_length, RecordKind::message, key);
    if (!read) return read;
    const auto parts = message_parts(*read);
    if (!parts) return Problem{"spool-damaged", id_of(key) + " has a record that is not whole"};
    return {boost::system::in_place_value, parts->envelope};
}

Result<QueuedMessage> LogSpool::load(const std::string& id) {
    const auto key = key_of(id);
    if (!key) return unknown(id);
    for (;;) {
        const auto place = place_of(*key);
        if (!place) return place.error();
        auto read = read_envelope(*key, *place);
        if (read) return parse_envelope(*read);
        const auto now = place_of(*key);
        if (!now || now->is(*place)) return read.error();
    }
}

Result<Ref<StoredBody>> LogSpool::open(const std::string& id) {
    const auto key = key_of(id);
    if (!key) return unknown(id);
    const auto place = place_of(*key);
    if (!place) return place.error();
    if (!place->in_file) return Ref<StoredBody>(new LoggedBody(*this, *key));
    auto read = read_body_record(*key);
    if (!read) return read.error();
    const auto parts = message_parts(*read);
    const auto path = body_path(*key);
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!parts || !file.good()) return problem("cannot open", path);
    return Ref<StoredBody>(new FiledBody(std::move(file), path, parts->header));
}

Ref<StoredBody> LogSpool::at_hand(const std::string& id) {
    const auto key = key_of(id);
    auto body = key ? recent_.find(*key) : nullptr;
    return body ? Ref<StoredBody>(new RecentBody(std::move(body))) : Ref<StoredBody>();
}

void LogSpool::update(const QueuedMessage& message, Done done) {
    const auto key = key_of(message.id);
    if (!key) return done(unknown(message.id));
    LogRequest request;
    request.record = envelope_record(*key, to_text(message));
    request.waiting = waiting_of(message);
    request.done = std::move(done);
    writer_.submit(std::move(request));
}

void LogSpool::remove(const std::string& id, Done done) {
    const auto key = key_of(id);
    if (!key) return done(unknown(id));
    LogRequest request;
    recent_.forget(*key);
    request.record = removal_record(*key);
    request.done = std::move(done);
    writer_.submit(std::move(request));
}

// Remembered for some seconds, so that MAIL is answered early; then the next message is the probe.
void LogSpool::failed(const Problem&) {
    failing_until_ = now_ticks() + std::chrono::steady_clock::duration(failing_for).count();
    look_at_room();
}

void LogSpool::look_at_room() {
    struct statvfs status {};
    auto health = SpoolHealth::good;
    if (::statvfs(folder_.c_str(), &status) != 0) health = SpoolHealth::failing;
    else {
        // What is made ready already is room, too.
        const auto room = status.f_bavail * status.f_frsize + (segments_.has_spare() ? segments_.segment_size() : 0);
        if (room < std::max(reserve, segments_.segment_size()) || (status.f_files && status.f_favail < 16))
            health = SpoolHealth::full;
        else if (now_ticks() < failing_until_) health = SpoolHealth::failing;
    }
    health_ = health;
}

Result<std::unique_ptr<Spool>> open_log_spool(const std::string& folder, LogOptions options) {
    namespace fs = std::filesystem;
    for (const auto* part : {"", "/incoming", "/log", "/bodies", "/index", "/damaged"}) {
        std::error_code error;
        fs::create_directories(folder + part, error);
        if (!error) fs::permissions(folder + part, fs::perms::owner_all, error);
        if (error) return Problem{"start-failed", "spool " + folder + part + ": " + error.message()};
    }
    return std::unique_ptr<Spool>(std::make_unique<LogSpool>(folder, options));
}

}  // namespace postern::queue
