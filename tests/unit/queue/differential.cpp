// The same random operations against the log and against one file a message: whatever an administrator, a sender or a
// next hop can see is the same in both, after restarts and crashes, too. POSTERN_OPERATIONS=100000 for long.
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <queue/envelope_text.hpp>
#include <queue/file_spool.hpp>
#include <queue/log_spool.hpp>
#include <queue/queue_verbs.hpp>
#include <random>

using namespace postern;
using namespace postern::queue;
namespace fs = std::filesystem;

namespace {

std::string new_folder() {
    std::string path = (fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/postern-differ-XXXXXX");
    return ::mkdtemp(path.data());
}

struct Lines : Log {
    std::vector<std::string> lines;
    void write(Severity, std::string_view id, std::string_view text) override {
        lines.push_back(std::string(id) + ": " + std::string(text));
    }
};

// What one kind of spool does; messages go by names, since ids differ.
class World {
public:
    World(std::string format, const Time& now, bool works_alone)
        : format_(std::move(format)), now_(now), works_alone_(works_alone), folder_(new_folder()) {
        open();
    }
    ~World() {
        close();
        fs::remove_all(folder_);
    }

    void submit(const std::string& name, QueuedMessage message, const std::string& body) {
        message.id = spool_->new_id();
        ids_[name] = message.id;
        auto incoming = std::move(*spool_->begin());
        REQUIRE(incoming->append(body).has_value());
        REQUIRE(queue_->submit_and_wait(std::move(incoming), std::move(message)).has_value());
    }
    // The name of what was tried, and for how many.
    std::string attempt(const Destination& destination, const std::vector<smtp::RecipientOutcome>& outcomes) {
        const auto batch = queue_->claim(destination, now_);
        if (!batch) return "nothing";
        const std::vector few(outcomes.begin(), outcomes.begin() + static_cast<std::ptrdiff_t>(batch->which.size()));
        queue_->settle_and_wait(*batch, few, "hop", "none");
        return named(batch->message.id) + " for " + std::to_string(batch->which.size());
    }
    std::string take_and_release(const Destination& destination) {
        const auto batch = queue_->claim(destination, now_);
        if (batch) queue_->release(*batch);
        return batch ? named(batch->message.id) : "nothing";
    }
    std::string put_off(const Destination& destination, const smtp::RecipientOutcome& outcome) {
        queue_->put_off(destination, "no answer");
        std::string told;
        while (const auto batch = queue_->claim_overdue(destination, now_)) {
            queue_->settle_and_wait(*batch, std::vector(batch->which.size(), outcome), "none", "none");
            told += named(batch->message.id) + " ";
        }
        return told;
    }
    std::string act(QueueVerb verb, const std::string& name) {
        std::string said;
        Selection selection;
        selection.ids = {ids_.at(name)};
        auto told = [&](const std::string& id, const std::string& not_done) {
            said += named(id) + (not_done.empty() ? " done" : " " + not_done);
        };
        CHECK(QueueVerbs(*queue_).act(verb, selection, told).has_value());
        return said;
    }

    void restart() {
        close();
        open();
    }
    // What kill -9 leaves is what the files hold at that moment.
    void crash() {
        const auto left = new_folder();
        fs::copy(folder_, left, fs::copy_options::recursive);
        close();
        fs::remove_all(folder_);
        folder_ = left;
        open();
    }
    void lose_index() {
        close();
        fs::remove_all(folder_ + "/index");
        open();
    }

    std::vector<std::string> list() {
        std::vector<std::string> all;
        auto take = [&](const ListedMessage& one) {
            all.push_back(named(to_text(one.message)) + (one.in_flight ? "in flight" : "") + octets(one.message.id));
            return true;
        };
        CHECK(QueueVerbs(*queue_).list({}, take).has_value());
        std::ranges::sort(all);
        return all;
    }
    std::vector<std::string> due() const {
        std::vector<std::string> all;
        for (const auto& one : queue_->due(now_)) all.push_back(one.route + " " + one.domain + " " + one.requirement);
        std::ranges::sort(all);
        return all;
    }
    std::optional<Time> next_due() const { return queue_->next_due(); }
    // What was said since the last look.
    std::vector<std::string> said() {
        std::vector<std::string> all;
        for (const auto& line : std::exchange(log_.lines, {})) all.push_back(named(line));
        return all;
    }
    unsigned notices() const { return notices_; }
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& [name, id] : ids_) all.push_back(name);
        return all;
    }

private:
    void open() {
        LogOptions options;
        options.checkpoint_every = std::chrono::milliseconds(works_alone_ ? 1 : 0);
        options.segment_size = 256u << 10;
        spool_ = std::move(*(format_ == "log" ? open_log_spool(folder_, options) : open_file_spool(folder_)));
        Queue::Parts parts{*spool_, log_, counters_, {}, {}, "mail1.contoso.com", [this] { return now_; }, {}, {}};
        parts.router = [](const QueuedMessage&, const QueuedRecipient& one) {
            return Destination{"smtp:" + (one.route.empty() ? "Internet" : one.route), one.domain, one.requirement};
        };
        parts.retry = [](const Destination&) { return config::Retry{}; };
        parts.on_notice = [this](const QueuedMessage& about, const QueuedMessage& notice) {
            ids_["notice " + std::to_string(++notices_) + " about " + named(about.id)] = notice.id;
        };
        queue_ = std::make_unique<Queue>(std::move(parts));
        REQUIRE(queue_->recover().has_value());
    }
    void close() {
        spool_.reset();  // its threads end before the queue does
        queue_.reset();
    }
    std::string octets(const std::string& id) const {
        auto source = spool_->open(id);
        REQUIRE(source.has_value());
        std::string all;
        for (std::vector<std::uint8_t> piece(100000);;) {
            const auto count = (*source)->read_at(all.size(), piece);
            REQUIRE(bool(count));
            if (*count == 0) return named(all);
            all.append(reinterpret_cast<const char*>(piece.data()), *count);
        }
    }
    // With names where ids stood, and without the checksum, which is about ids.
    std::string named(std::string text) const {
        if (const auto sum = text.rfind("\nsum "); sum != std::string::npos) text.resize(sum);
        for (const auto& [name, id] : ids_)
            for (auto at = text.find(id); at != std::string::npos; at = text.find(id, at + name.size()))
                text.replace(at, id.size(), name);
        return text;
    }

    std::string format_;
    const Time& now_;
    bool works_alone_;
    std::string folder_;
    std::map<std::string, std::string> ids_;
    unsigned notices_ = 0;
    Lines log_;
    Counters counters_;
    std::unique_ptr<Spool> spool_;
    std::unique_ptr<Queue> queue_;
};

class Operations {
public:
    explicit Operations(unsigned seed, bool works_alone)
        : chance_(seed), works_alone_(works_alone), files_("files", now_, false), log_("log", now_, works_alone) {}

    void one() {
        // One operation a moment: nothing becomes due at the same second as something else, whose order would be open.
        now_ += std::chrono::seconds(1000);
        switch (chance_() % 12) {
            case 0:
            case 1:
            case 2:
                return submit();
            case 3:
            case 4:
            case 5:
            case 6:
                return attempt();
            case 7:
                return verb();
            case 8:
                return both([&, to = destination()](World& world) { return world.take_and_release(to); });
            case 9:
                if (chance_() % 3 == 0)
                    return both([&, to = destination(), how = outcome(VerdictKind::defer)](World& world) {
                        return world.put_off(to, how);
                    });
                return attempt();
            case 10:
                return begin_again();
            default:
                now_ += std::chrono::hours(chance_() % 20);
                return attempt();
        }
    }
    void compare() {
        const auto said = log_.said();
        CHECK(said == files_.said());
        for (const auto& line : said) seen_ += line + "\n";
        CHECK(log_.due() == files_.due());
        CHECK(log_.next_due() == files_.next_due());
        CHECK(log_.list() == files_.list());
    }
    std::size_t waiting() { return log_.list().size(); }
    unsigned notices() const { return log_.notices(); }
    const std::string& seen() const { return seen_; }

    // Each thing that an administrator does, or time and the next hop bring, and behind it the end of a life.
    void walk(int ends) {
        ends_ = ends;
        for (const auto verb : {QueueVerb::retry, QueueVerb::hold, QueueVerb::bounce, QueueVerb::remove}) {
            const auto name = submit_to(walked_, "s@a.example", false);
            step([&](World& world) { return world.act(verb, name); });
            step([&](World& world) { return world.act(verb == QueueVerb::hold ? QueueVerb::release : verb, name); });
            try_all(VerdictKind::proceed);
        }
        // Put off until its sender is told, then until it expires.
        submit_to(walked_, "s@a.example", false);
        for (const auto hours : {1, 4, 20, 24 * 5}) {
            now_ += std::chrono::hours(hours);
            try_all(VerdictKind::defer);
        }
        for (const bool late : {false, true}) {  // nobody to tell; nobody proven
            const auto name = submit_to(walked_, late ? "s@a.example" : "", late);
            try_all(VerdictKind::reject);
            step([&](World& world) { return world.act(QueueVerb::release, name); });
            try_all(VerdictKind::proceed);
        }
        // For one of its recipients it is done, for the others it waits.
        submit_to(walked_, "s@a.example", false, 3);
        attempt_with({outcome(VerdictKind::proceed), outcome(VerdictKind::defer), outcome(VerdictKind::reject)},
                     walked_);
        end_a_life();
        now_ += std::chrono::hours(1);
        try_all(VerdictKind::proceed);
    }

private:
    template <class Do>
    void step(Do&& act) {
        now_ += std::chrono::seconds(1000);
        both(act);
        compare();
        end_a_life();
    }
    void end_a_life() {
        both([&](World& world) {
            if (ends_ == 0) world.restart();
            else if (ends_ == 1) world.crash();
            else world.lose_index();
            return ends_;
        });
        compare();
    }
    std::string submit_to(const Destination& to, const std::string& sender, bool late_reject, unsigned recipients = 1) {
        now_ += std::chrono::seconds(1000);
        const auto name = "w" + std::to_string(++submitted_);
        QueuedMessage message;
        message.received = now_;
        message.sender = sender;
        message.known_sender = !late_reject;
        for (unsigned i = 0; i < recipients; ++i) {
            auto& one = message.recipients.emplace_back();
            one.address = "r" + std::to_string(i) + "@" + to.domain;
            one.domain = to.domain;
            one.next_attempt = now_;
            one.hold_late_reject = late_reject;
        }
        const std::string body = "Subject: " + name + "\r\n\r\nx\r\n";
        message.size = body.size();
        step([&](World& world) {
            world.submit(name, message, body);
            return name;
        });
        return name;
    }
    void attempt_with(const std::vector<smtp::RecipientOutcome>& outcomes, const Destination& to) {
        both([&](World& world) { return world.attempt(to, outcomes); });
        compare();
    }
    void try_all(VerdictKind how) {
        attempt_with(std::vector(3, outcome(how)), walked_);
        end_a_life();
    }

    const Destination walked_{"smtp:Internet", "b.example", ""};
    int ends_ = 0;
    std::string seen_;
    template <class Do>
    void both(Do&& act) {
        const auto by_log = act(log_), by_files = act(files_);
        CHECK(by_log == by_files);
    }
    Destination destination() {
        static const std::vector<Destination> all{{"smtp:Internet", "b.example", ""},
                                                  {"smtp:Internet", "c.example", "mutual"},
                                                  {"smtp:Hub", "d.example", ""},
                                                  {"smtp:Internet", "a.example", ""}};
        return all[chance_() % all.size()];
    }
    smtp::RecipientOutcome outcome(VerdictKind kind) {
        const char* status = kind == VerdictKind::proceed ? "2.0.0" : kind == VerdictKind::defer ? "4.2.1" : "5.1.1";
        return {kind,
                static_cast<std::uint16_t>(chance_() % 2 ? 250 : 0),
                status,
                "said " + std::to_string(chance_() % 9),
                {}};
    }
    void submit() {
        const auto name = "m" + std::to_string(++submitted_);
        QueuedMessage message;
        message.received = now_;
        message.sender = chance_() % 5 ? "s@a.example" : "";
        message.known_sender = chance_() % 2;
        message.held = chance_() % 15 == 0;
        message.envid = chance_() % 3 ? "" : "e" + name;
        for (auto left = 1 + chance_() % 3; left > 0; --left) {
            const auto to = destination();
            auto& one = message.recipients.emplace_back();
            one.address = "r" + std::to_string(left) + "@" + to.domain;
            one.domain = to.domain;
            one.requirement = to.requirement;
            one.route = to.route == "smtp:Hub" ? "Hub" : "";
            one.next_attempt = now_;
            one.hold_late_reject = chance_() % 4 == 0;
            one.notify = chance_() % 4 ? "" : chance_() % 2 ? "NEVER" : "SUCCESS,FAILURE,DELAY";
        }
        std::string body = "Subject: " + name + "\r\n\r\n";
        body.append(chance_() % 6 ? chance_() % 4000 : 60000 + chance_() % 20000, 'x');
        message.size = body.size();
        both([&](World& world) {
            world.submit(name, message, body);
            return name;
        });
    }
    void attempt() {
        std::vector<smtp::RecipientOutcome> outcomes;
        for (int i = 0; i < 3; ++i)
            outcomes.push_back(outcome(chance_() % 2   ? VerdictKind::proceed
                                       : chance_() % 3 ? VerdictKind::defer
                                                       : VerdictKind::reject));
        both([&, to = destination()](World& world) { return world.attempt(to, outcomes); });
    }
    void verb() {
        const auto names = log_.names();
        if (names.empty()) return;
        constexpr QueueVerb verbs[] = {QueueVerb::retry, QueueVerb::hold, QueueVerb::release, QueueVerb::remove,
                                       QueueVerb::bounce};
        const auto name = names[chance_() % names.size()];
        const auto verb = verbs[chance_() % std::size(verbs)];
        both([&](World& world) { return world.act(verb, name); });
    }
    void begin_again() {
        const auto how = chance_() % 3;
        both([&](World& world) {
            // Beside a spool that goes on by itself a copy is no moment's.
            if (how == 0 || works_alone_) world.restart();
            else if (how == 1) world.crash();
            else world.lose_index();
            return how;
        });
    }

    std::mt19937 chance_;
    bool works_alone_;
    unsigned submitted_ = 0;
    Time now_{std::chrono::seconds(1800000000)};
    World files_, log_;
};

}  // namespace

TEST_CASE("what an administrator does and what time brings is the same in both, after each end of a life",
          "[differential]") {
    const int ends = GENERATE(0, 1, 2);  // stopped; killed; the index lost
    Operations both(1, false);
    both.walk(ends);
    // It did happen.
    for (const auto* what :
         {"held: id=w2: by postern", "released: id=w2: by postern", "removed: id=w4", "given up by the administrator",
          "status=4.2.1", "tried until it expired", "it has no sender to be told", "its sender is not proven"}) {
        INFO("ends " << ends << ", wanted: " << what << " in\n" << both.seen());
        CHECK(both.seen().find(what) != std::string::npos);
    }
    CHECK(both.notices() == 4);  // given up, delayed, expired, refused
}

TEST_CASE("the log and one file a message show the same after the same operations", "[differential]") {
    const auto* wanted = std::getenv("POSTERN_OPERATIONS");
    const int operations = wanted ? std::atoi(wanted) : 400;
    const auto* given = std::getenv("POSTERN_SEED");
    const auto seed = given ? static_cast<unsigned>(std::atoi(given)) : std::random_device{}();
    // A few hundred at a time, so that the queue does not merely grow.
    for (int done = 0, round = 0; done < operations; ++round) {
        Operations both(seed + static_cast<unsigned>(round), round % 2 == 1);
        for (int i = 0; i < 200 && done < operations; ++i, ++done) {
            INFO("seed " << seed << ", round " << round << ", operation " << i);
            both.one();
            both.compare();
        }
        CHECK(both.waiting() > 0);
    }
}
