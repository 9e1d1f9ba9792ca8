// The start: the index says what waited when it was last written, the log what happened since. What was read and
// perhaps never synced is synced before anything is delivered; what cannot be read is set aside. Runs once, before the
// writer.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <queue/crash_point.hpp>
#include <queue/envelope_text.hpp>
#include <queue/log_parts.hpp>
#include <set>

namespace postern::queue {

namespace fs = std::filesystem;

class Recovery {
public:
    Recovery(LogSpool& spool, const std::function<void(Waiting)>& found, std::vector<std::string>& damaged)
        : spool_(spool), found_(found), damaged_(damaged) {}
    ~Recovery() { ::unlink(reading().c_str()); }

    Result<void> run() {
        remove_unfinished();
        std::vector<std::string> foreign;
        if (auto segments = spool_.segments_.find(foreign); !segments) return segments;
        for (const auto& name : foreign) set_aside("log/" + name, "is no segment of this log");
        if (auto opened = open_index(); !opened) return opened;
        if (auto replayed = replay_since(head_.position); !replayed) return replayed;
        if (!take_index()) {
            damaged_.push_back("index: is damaged; made anew from the whole log");
            if (auto again = start_over(); !again) return again;
        }
        take_replayed();
        settle_bodies();
        crash_point("recovery.settled");
        spool_.places_.restore_position(end_);
        spool_.writer_.start(end_);
        return {};
    }

private:
    // What the log says of one message since the index was written.
    struct Replayed {
        std::optional<Change> message, envelope;
        bool gone = false;
        Waiting waiting;
    };

    void remove_unfinished() {
        std::error_code error;
        // Never acknowledged: a crash between 354 and 250.
        for (const auto& left : fs::directory_iterator(spool_.folder_ + "/incoming", error))
            fs::remove(left.path(), error);
    }

    void set_aside(const std::string& name, const std::string& why) {
        std::error_code ignored;
        fs::rename(spool_.folder_ + "/" + name, spool_.folder_ + "/damaged/" + fs::path(name).filename().string(),
                   ignored);
        crash_point("recovery.quarantined");
        damaged_.push_back(name + ": " + why);
    }

    // Pages of the index are read through a mapping: damage in them (a copy that was broken off, a disk that lied) can
    // end the process. Twice in a row while it was read: the third start does without. The file counts by its size.
    std::string reading() const { return spool_.folder_ + "/index.reading"; }
    void before_reading() {
        std::error_code error;
        if (const auto ended = fs::file_size(reading(), error); !error && ended >= 2) {
            damaged_.push_back("index: " + std::to_string(ended) +
                               " starts ended while they read it; made anew from the whole log");
            LogIndex::erase(spool_.folder_ + "/index");
        }
        const Descriptor count(::open(reading().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        if (count.good()) (void)!::write(count.get(), "x", 1);
    }

    Result<void> open_index() {
        const auto folder = spool_.folder_ + "/index";
        before_reading();
        crash_point("recovery.begun");
        auto opened = LogIndex::open(folder);
        if (opened) head_ = (*opened)->head();
        // A position in a segment that is not there: the index of another log, or of one that was restored.
        const bool knows =
            opened && head_.whole && (head_.position.segment == 0 || spool_.segments_.get(head_.position.segment));
        if (!knows) {
            if (opened) opened->reset();
            damaged_.push_back("index: " + (opened ? "does not belong to this log" : opened.error().text) +
                               "; made anew from the whole log");
            LogIndex::erase(folder);
            opened = LogIndex::open(folder);
            head_ = {};
        }
        if (!opened) return opened.error();
        take_as_index(std::move(*opened));
        return {};
    }

    void take_as_index(std::unique_ptr<LogIndex> index) {
        spool_.places_.look_in(index.get());
        spool_.index_ = std::move(index);
    }

    // The index failed while it was read: as if there had been none.
    Result<void> start_over() {
        take_as_index({});
        LogIndex::erase(spool_.folder_ + "/index");
        auto opened = LogIndex::open(spool_.folder_ + "/index");
        if (!opened) return opened.error();
        take_as_index(std::move(*opened));
        replayed_.clear();
        spool_.places_.start_over();
        return replay_since({});
    }

    Result<void> replay_since(LogPosition position) {
        const auto segments = spool_.segments_.all();
        std::set<std::uint32_t> given_up;
        for (const auto& one : segments)
            for (auto number = one->previous + 1; number < one->number; ++number) given_up.insert(number);
        end_ = position;
        for (std::size_t i = 0; i < segments.size(); ++i) {
            const auto& one = *segments[i];
            if (one.number < position.segment) continue;
            // A batch of it failed before any was durable, and the next segment goes on from the one before.
            if (given_up.contains(one.number)) continue;
            const auto believed = spool_.segments_.believed(one.number);
            const auto from = one.number == position.segment ? position.offset : block;
            const auto scanned = scan(one, from, believed, [&](const FoundRecord& record) { replay(one, record); });
            if (scanned.failed) return Problem{"spool-failing", "cannot read " + one.path};
            keep_damaged(one, scanned);
            end_ = {one.number, scanned.valid_end};
            // Read from memory, perhaps: on stable storage from here on.
            if (!spool_.options_.disk->sync_data(one.file.get()))
                return Problem{"spool-failing", "cannot sync " + one.path + ": " + std::strerror(errno)};
        }
        crash_point("recovery.synced");
        return {};
    }

    void keep_copy(const std::string& name, const std::string& octets) const {
        const Descriptor copy(
            ::open((spool_.folder_ + "/damaged/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        auto whole = octets;
        iovec piece{whole.data(), whole.size()};
        if (copy.good()) (void)Disk::real().write_at(copy.get(), {&piece, 1}, 0);
    }

    void keep_damaged(const Segment& segment, const Scanned& scanned) {
        for (const auto& [from, to] : scanned.damaged) {
            std::string octets;
            const auto name = segment_name(segment.number) + "-" + std::to_string(from);
            if (read_whole_at(segment.file.get(), from, octets, static_cast<std::size_t>(to - from)))
                keep_copy(name, octets);
            damaged_.push_back(segment_name(segment.number) + ": octets " + std::to_string(from) + " to " +
                               std::to_string(to) + " cannot be read; a copy is in damaged/" + name);
            unread_records_ = true;
        }
    }

    void replay(const Segment& segment, const FoundRecord& record) {
        const auto key = key_of(record.header);
        Change change{record.header.kind,
                      key,
                      segment.number,
                      static_cast<std::uint32_t>(record.offset),
                      record.header.length,
                      record.header.refers,
                      false,
                      {}};
        if (change.kind == RecordKind::removal) {
            spool_.places_.restore_refers(segment.number, change.refers);
            auto& one = replayed_[key];
            one = {};
            one.gone = true;
            return;
        }
        auto envelope = record.payload;
        if (change.kind == RecordKind::message) {
            const auto parts = message_parts(record.payload);
            if (!parts) return damaged(key, record, "a record that does not fit together");
            envelope = parts->envelope;
            change.in_file = parts->header.in_file != 0;
        }
        auto message = parse_envelope(envelope);
        if (!message || message->id != id_of(key))
            return damaged(key, record, "an envelope that this version does not know");
        auto& one = replayed_[key];
        if (change.kind == RecordKind::message) {
            one = {};
            one.message = change;
        } else if (one.gone) {
            return;
        } else {
            one.envelope = change;
        }
        one.waiting = waiting_of(*message);
    }

    // Its place in the log will be used again.
    void damaged(const MessageKey& key, const FoundRecord& record, const std::string& why) {
        keep_copy(id_of(key) + ".record", std::string(record.payload));
        damaged_.push_back(id_of(key) + ": has " + why + "; a copy is in damaged/" + id_of(key) + ".record");
        unread_records_ = true;
    }

    static Place place_of(const Change& message) {
        return {message.segment, message.at, message.length, 0, 0, 0, message.in_file, false};
    }
    static void put_envelope(Place& place, const Change& envelope) {
        place.envelope_segment = envelope.segment;
        place.envelope_at = envelope.at;
        place.envelope_length = envelope.length;
    }

    // False: it is damaged, and nothing was told of it.
    bool take_index() {
        for (const auto& [segment, oldest] : head_.refers) spool_.places_.restore_refers(segment, oldest);
        const auto contents = spool_.index_->read([&](const MessageKey& key, const Place& place, Waiting waiting) {
            auto found = replayed_.find(key);
            if (found == replayed_.end()) return restore(key, place, std::move(waiting), false);
            auto& one = found->second;
            if (one.gone) {
                spool_.places_.forget_in_index(key);
                return;
            }
            Place now = one.message ? place_of(*one.message) : place;
            if (one.envelope) put_envelope(now, *one.envelope);
            now.indexed = true;
            restore(key, now, std::move(one.waiting), true);
            replayed_.erase(found);
        });
        return contents.whole;
    }

    // An envelope of which no message is known speaks of one that went long ago.
    void take_replayed() {
        for (auto& [key, one] : replayed_) {
            if (!one.message) continue;
            Place place = place_of(*one.message);
            if (one.envelope) put_envelope(place, *one.envelope);
            restore(key, place, std::move(one.waiting), true);
        }
        replayed_.clear();
    }

    void restore(const MessageKey& key, Place place, Waiting waiting, bool changed) {
        if (place.in_file) {
            std::error_code error;
            // An error says nothing of it: the delivery will.
            if (!fs::exists(spool_.body_path(key), error) && !error) return without_body(key, place);
            bodies_.insert(id_of(key));
        }
        if (changed) spool_.places_.restore_changed(key, place, waiting);
        else spool_.places_.restore_indexed(place);
        found_(std::move(waiting));
    }

    void without_body(const MessageKey& key, const Place& place) {
        if (const auto envelope = spool_.read_envelope(key, place)) keep_copy(id_of(key) + ".envelope", *envelope);
        damaged_.push_back(id_of(key) + ": its body " + spool_.body_path(key) +
                           " is missing; its envelope is in damaged/" + id_of(key) + ".envelope");
        spool_.places_.forget_in_index(key);
    }

    // Without a record that names it a file was never acknowledged, or was delivered; unless that record is among those
    // that could not be read.
    void settle_bodies() {
        std::error_code error;
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(spool_.folder_ + "/bodies", error))
            names.push_back(entry.path().filename());
        for (const auto& name : names) {
            if (bodies_.contains(name)) continue;
            if (!key_of(name)) set_aside("bodies/" + name, "is no body of this spool");
            else if (unread_records_) set_aside("bodies/" + name, "no record names it that can be read");
            else fs::remove(spool_.folder_ + "/bodies/" + name, error);
        }
    }

    LogSpool& spool_;
    const std::function<void(Waiting)>& found_;
    std::vector<std::string>& damaged_;
    LogIndex::Contents head_;
    std::unordered_map<MessageKey, Replayed, MessageKeyHash> replayed_;
    std::set<std::string> bodies_;
    LogPosition end_;
    bool unread_records_ = false;
};

Result<void> LogSpool::recover(const std::function<void(Waiting)>& found, std::vector<std::string>& damaged) {
    Recovery recovery(*this, found, damaged);
    if (auto done = recovery.run(); !done) return done;
    look_at_room();
    upkeep_->start();
    return {};
}

}  // namespace postern::queue
