#include <lmdb.h>

#include <cstring>
#include <filesystem>
#include <queue/checksum.hpp>
#include <queue/log_index.hpp>

namespace postern::queue {

namespace {

// Address space, not memory: about a hundred octets a waiting message are used.
constexpr std::size_t largest = std::size_t{64} << 30;

Problem problem(const std::string& what, int error) { return {"spool-failing", what + ": " + mdb_strerror(error)}; }

class Writer {
public:
    template <class T>
    void number(T value) {
        octets_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(const std::string& value) {
        number(static_cast<std::uint32_t>(value.size()));
        octets_ += value;
    }
    std::string done() {
        number(crc32c(octets_));
        return std::move(octets_);
    }

private:
    std::string octets_;
};

class Reader {
public:
    explicit Reader(std::string_view octets) : rest_(octets) {
        std::uint32_t sum = 0;
        good_ = octets.size() >= sizeof sum;
        if (!good_) return;
        std::memcpy(&sum, octets.data() + octets.size() - sizeof sum, sizeof sum);
        rest_.remove_suffix(sizeof sum);
        good_ = crc32c(rest_) == sum;
    }
    template <class T>
    T number() {
        T value{};
        good_ &= rest_.size() >= sizeof value;
        if (!good_) return value;
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return value;
    }
    std::string text() {
        const auto length = number<std::uint32_t>();
        good_ &= rest_.size() >= length;
        if (!good_) return {};
        std::string value(rest_.substr(0, length));
        rest_.remove_prefix(length);
        return value;
    }
    bool good() const { return good_; }

private:
    std::string_view rest_;
    bool good_;
};

std::int64_t seconds(Time time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}
Time time_of(std::int64_t count) { return Time(std::chrono::seconds(count)); }

std::string value_of(const Place& place, const Waiting& waiting) {
    Writer to;
    for (const auto part : {place.body_segment, place.body_at, place.body_length, place.envelope_segment,
                            place.envelope_at, place.envelope_length})
        to.number(part);
    to.number(static_cast<std::uint8_t>(place.in_file));
    to.number(static_cast<std::uint8_t>(waiting.held));
    to.number(seconds(waiting.received));
    to.number(static_cast<std::uint32_t>(waiting.due.size()));
    for (const auto& due : waiting.due) {
        to.number(seconds(due.next_attempt));
        to.text(due.domain);
        to.text(due.requirement);
        to.text(due.route);
    }
    return to.done();
}

void take_place(Reader& from, Place& place) {
    for (auto* part : {&place.body_segment, &place.body_at, &place.body_length, &place.envelope_segment,
                       &place.envelope_at, &place.envelope_length})
        *part = from.number<std::uint32_t>();
    place.in_file = from.number<std::uint8_t>() != 0;
    place.indexed = true;
}

bool parse(std::string_view octets, Place& place, Waiting& waiting) {
    Reader from(octets);
    take_place(from, place);
    waiting.held = from.number<std::uint8_t>() != 0;
    waiting.received = time_of(from.number<std::int64_t>());
    for (auto left = from.number<std::uint32_t>(); from.good() && left > 0; --left) {
        auto& due = waiting.due.emplace_back();
        due.next_attempt = time_of(from.number<std::int64_t>());
        due.domain = from.text();
        due.requirement = from.text();
        due.route = from.text();
    }
    return from.good();
}

std::string head_of(LogPosition position, const std::map<std::uint32_t, std::uint32_t>& refers) {
    Writer to;
    to.number(position.segment);
    to.number(position.offset);
    to.number(static_cast<std::uint32_t>(refers.size()));
    for (const auto& [segment, oldest] : refers) {
        to.number(segment);
        to.number(oldest);
    }
    return to.done();
}

std::string key_octets(const MessageKey& key) { return id_of(key); }

class Transaction {
public:
    Transaction(MDB_env* env, unsigned flags) : error_(mdb_txn_begin(env, nullptr, flags, &txn_)) {}
    ~Transaction() {
        if (txn_) mdb_txn_abort(txn_);
    }
    int error() const { return error_; }
    MDB_txn* get() const { return txn_; }
    int commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }

private:
    MDB_txn* txn_ = nullptr;
    int error_;
};

MDB_val val(std::string_view octets) { return {octets.size(), const_cast<char*>(octets.data())}; }
std::string_view view(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

constexpr std::string_view head_key = "head";

}  // namespace

LogIndex::~LogIndex() { mdb_env_close(env_); }

void LogIndex::erase(const std::string& folder) {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
}

Result<std::unique_ptr<LogIndex>> LogIndex::open(const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return Problem{"spool-failing", "cannot make " + folder + ": " + error.message()};
    std::unique_ptr<LogIndex> index(new LogIndex(folder));
    if (auto opened = index->open_anew(); !opened) return opened.error();
    return index;
}

Result<void> LogIndex::open_anew() {
    const std::unique_lock alone(opening_);
    mdb_env_close(std::exchange(env_, nullptr));
    MDB_env* env = nullptr;
    int failed = mdb_env_create(&env);
    if (failed) return problem("cannot open " + folder_, failed);
    mdb_env_set_mapsize(env, largest);
    mdb_env_set_maxdbs(env, 2);
    failed = mdb_env_open(env, folder_.c_str(), MDB_NORDAHEAD | MDB_NOTLS, 0600);
    if (!failed) {
        Transaction txn(env, 0);
        failed = txn.error();
        if (!failed) failed = mdb_dbi_open(txn.get(), "messages", MDB_CREATE, &messages_);
        if (!failed) failed = mdb_dbi_open(txn.get(), "about", MDB_CREATE, &about_);
        if (!failed) failed = txn.commit();
    }
    if (failed) {
        mdb_env_close(env);
        return problem("cannot open " + folder_, failed);
    }
    env_ = env;
    return {};
}

LogIndex::Contents LogIndex::head() const {
    Contents contents;
    const std::shared_lock lock(opening_);
    if (!env_) return {{}, {}, false};
    const Transaction txn(env_, MDB_RDONLY);
    auto key = val(head_key);
    MDB_val value;
    if (txn.error() || mdb_get(txn.get(), about_, &key, &value) != 0) return contents;
    Reader from(view(value));
    contents.position.segment = from.number<std::uint32_t>();
    contents.position.offset = from.number<std::uint64_t>();
    for (auto left = from.number<std::uint32_t>(); from.good() && left > 0; --left) {
        const auto segment = from.number<std::uint32_t>();
        contents.refers[segment] = from.number<std::uint32_t>();
    }
    contents.whole = from.good();
    return contents;
}

bool LogIndex::each_row(const Row& call) const {
    if (!env_) return false;
    const Transaction txn(env_, MDB_RDONLY);
    MDB_cursor* cursor = nullptr;
    if (txn.error() || mdb_cursor_open(txn.get(), messages_, &cursor) != 0) return false;
    MDB_val key, value;
    int ended = 0;
    bool whole = true;
    while (whole && (ended = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) whole = call(view(key), view(value));
    mdb_cursor_close(cursor);
    return whole && (ended == 0 || ended == MDB_NOTFOUND);
}

// Twice over it: nothing is told of an index that turns out to be damaged at its end.
LogIndex::Contents LogIndex::read(const std::function<void(const MessageKey&, const Place&, Waiting)>& found) const {
    auto contents = head();
    contents.whole = contents.whole && each_row([](std::string_view id, std::string_view octets) {
                         return key_of(id) && Reader(octets).good();
                     });
    contents.whole = contents.whole && each_row([&](std::string_view id, std::string_view octets) {
                         Place place;
                         Waiting waiting;
                         if (!parse(octets, place, waiting)) return false;
                         waiting.id = id;
                         found(*key_of(id), place, std::move(waiting));
                         return true;
                     });
    return contents;
}

Result<std::optional<Place>> LogIndex::place(const MessageKey& key) const {
    const auto id = key_octets(key);
    const std::shared_lock lock(opening_);
    if (!env_) return Problem{"spool-failing", "cannot read " + folder_ + ", which could not be opened anew yet"};
    const Transaction txn(env_, MDB_RDONLY);
    if (txn.error()) return problem("cannot read " + folder_, txn.error());
    auto wanted = val(id);
    MDB_val value;
    const int failed = mdb_get(txn.get(), messages_, &wanted, &value);
    if (failed == MDB_NOTFOUND) return std::optional<Place>();
    if (failed) return problem("cannot read " + folder_, failed);
    Reader from(view(value));
    Place place;
    take_place(from, place);
    if (!from.good())
        return Problem{"spool-failing", folder_ + " holds a place that is not whole; the next start reads the log"};
    return std::optional(place);
}

Result<void> LogIndex::for_each_key(const std::function<void(const MessageKey&)>& call) const {
    const std::shared_lock lock(opening_);
    const bool whole = each_row([&](std::string_view id, std::string_view) {
        if (const auto key = key_of(id)) call(*key);
        return true;
    });
    if (whole) return {};
    return Problem{"spool-failing", "cannot read the index " + folder_ + " now"};
}

Result<void> LogIndex::write(const std::vector<IndexChange>& changes, LogPosition position,
                             const std::map<std::uint32_t, std::uint32_t>& refers) {
    if (!env_)
        if (auto opened = open_anew(); !opened) return opened;
    auto written = write_once(changes, position, refers);
    if (!written) (void)open_anew();  // the next one tries that again
    return written;
}

Result<void> LogIndex::write_once(const std::vector<IndexChange>& changes, LogPosition position,
                                  const std::map<std::uint32_t, std::uint32_t>& refers) {
    Transaction txn(env_, 0);
    int failed = txn.error();
    for (auto one = changes.begin(); !failed && one != changes.end(); ++one) {
        const auto id = key_octets(one->key);
        auto key = val(id);
        if (!one->place) {
            failed = mdb_del(txn.get(), messages_, &key, nullptr);
            if (failed == MDB_NOTFOUND) failed = 0;
            continue;
        }
        Waiting known;
        MDB_val old;
        if (!one->waiting) {
            Place before;
            failed = mdb_get(txn.get(), messages_, &key, &old);
            if (!failed && !parse(view(old), before, known)) failed = MDB_CORRUPTED;
            if (failed) break;
        }
        const auto octets = value_of(*one->place, one->waiting ? *one->waiting : known);
        auto value = val(octets);
        failed = mdb_put(txn.get(), messages_, &key, &value, 0);
    }
    const auto head = head_of(position, refers);
    auto key = val(head_key), value = val(head);
    if (!failed) failed = mdb_put(txn.get(), about_, &key, &value, 0);
    if (!failed) failed = txn.commit();
    if (failed) return problem("cannot write " + folder_ + "/data.mdb", failed);
    return {};
}

}  // namespace postern::queue
