#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <queue/log_spool.hpp>
#include <queue/queue.hpp>
#include <queue/queue_verbs.hpp>

using namespace postern;
using namespace postern::queue;

namespace {

struct Quiet : Log {
    std::vector<std::string> lines;
    void write(Severity, std::string_view id, std::string_view text) override {
        lines.push_back(std::string(id) + ": " + std::string(text));
    }
};

// Takes nothing new while it is full; all else goes on.
class FullSpool : public Spool {
public:
    explicit FullSpool(std::unique_ptr<Spool> under) : under_(std::move(under)) {}
    std::string new_id() override { return under_->new_id(); }
    Result<std::unique_ptr<Incoming>> begin() override {
        if (full) return Problem{"spool-failing", "no room"};
        return under_->begin();
    }
    Result<Ref<StoredBody>> open(const std::string& id) override { return under_->open(id); }
    Result<QueuedMessage> load(const std::string& id) override { return under_->load(id); }
    void update(const QueuedMessage& message, Done done) override { under_->update(message, std::move(done)); }
    void remove(const std::string& id, Done done) override { under_->remove(id, std::move(done)); }
    Result<std::vector<MessageKey>> keys() const override { return under_->keys(); }
    Result<void> recover(const std::function<void(Waiting)>& found, std::vector<std::string>& damaged) override {
        return under_->recover(found, damaged);
    }
    SpoolHealth health() const override { return under_->health(); }
    bool full = false;

private:
    std::unique_ptr<Spool> under_;
};

struct Fixture {
    Fixture() {
        char path[] = "/tmp/postern-verbs-XXXXXX";
        folder = ::mkdtemp(path);
        spool = std::make_unique<FullSpool>(std::move(*open_log_spool(folder)));
        Queue::Parts parts{*spool, log, counters, {}, {}, "mail1.contoso.com", [this] { return now; }, {}, {}};
        parts.router = [](const QueuedMessage&, const QueuedRecipient& one) {
            const bool listed = one.domain == "listed.example";
            return Destination{"smtp:Internet", one.domain, listed ? "mutual" : one.requirement};
        };
        parts.retry = [](const Destination&) { return config::Retry{}; };
        queue = std::make_unique<Queue>(std::move(parts));
        REQUIRE(queue->recover().has_value());
    }
    ~Fixture() {
        spool.reset();
        queue.reset();
        std::filesystem::remove_all(folder);
    }
    std::string submit(const std::string& sender, std::initializer_list<const char*> domains) {
        QueuedMessage one;
        one.id = spool->new_id();
        one.received = now;
        one.sender = sender;
        const std::string octets = "Subject: x\r\n\r\nbody\r\n";
        one.size = octets.size();
        for (const std::string domain : domains) {
            auto& to = one.recipients.emplace_back();
            to.address = "x@" + domain;
            to.domain = domain;
            to.next_attempt = now;
        }
        auto incoming = std::move(*spool->begin());
        REQUIRE(incoming->append(octets).has_value());
        REQUIRE(queue->submit_and_wait(std::move(incoming), one).has_value());
        return one.id;
    }
    void outcome(const std::string& domain, VerdictKind kind) {
        const auto batch = queue->claim({"smtp:Internet", domain, ""}, now);
        REQUIRE(batch);
        queue->settle_and_wait(*batch, {{kind, 550, "5.1.1", "550 said", {}}}, "r", "none");
    }
    std::string act(QueueVerb verb, const std::string& id) {
        std::string said = "nothing";
        Selection which;
        which.ids = {id};
        QueueVerbs(*queue).act(verb, which, [&](const std::string&, const std::string& why) { said = why; });
        return said;
    }
    std::vector<std::string> waiting_for(const std::string& id) const {
        std::vector<std::string> addresses;
        const auto loaded = spool->load(id);
        if (loaded)
            for (const auto& one : loaded->recipients) addresses.push_back(one.address);
        return addresses;
    }
    std::string folder;
    std::unique_ptr<FullSpool> spool;
    Quiet log;
    Counters counters;
    Time now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    std::unique_ptr<Queue> queue;
};

using Addresses = std::vector<std::string>;

}  // namespace

TEST_CASE("whose sender cannot be told because the spool is full is kept, and told when there is room", "[queue]") {
    Fixture f;
    const auto id = f.submit("a@a.example", {"b.example", "c.example"});
    f.spool->full = true;
    f.outcome("b.example", VerdictKind::reject);
    // The other one waits still: nothing may go with it unnoticed.
    CHECK(f.waiting_for(id) == Addresses{"x@b.example", "x@c.example"});
    f.outcome("c.example", VerdictKind::proceed);
    CHECK(f.waiting_for(id) == Addresses{"x@b.example"});
    f.spool->full = false;
    f.now += std::chrono::minutes(5);
    f.outcome("b.example", VerdictKind::reject);
    CHECK(f.waiting_for(id).empty());
    const auto notice = f.queue->claim({"smtp:Internet", "a.example", ""}, f.now);
    REQUIRE(notice);
    CHECK(notice->message.sender.empty());
}

TEST_CASE("a delay that could not be told is told the next time", "[queue]") {
    Fixture f;
    const auto id = f.submit("a@a.example", {"b.example"});
    f.now += std::chrono::hours(5);
    auto batch = f.queue->claim({"smtp:Internet", "b.example", ""}, f.now);
    batch->message.known_sender = true;
    f.spool->full = true;
    f.queue->settle_and_wait(*batch, {{VerdictKind::defer, 450, "4.2.1", "450 later", {}}}, "r", "none");
    CHECK_FALSE(f.spool->load(id)->recipients.front().delay_notified);
}

TEST_CASE("a bounce by hand that cannot be stored says so, and leaves the message", "[queue]") {
    Fixture f;
    const auto id = f.submit("a@a.example", {"b.example"});
    f.spool->full = true;
    CHECK_THAT(f.act(QueueVerb::bounce, id), Catch::StartsWith("stays: "));
    CHECK(f.waiting_for(id) == Addresses{"x@b.example"});
    f.spool->full = false;
    CHECK(f.act(QueueVerb::bounce, id).empty());
    CHECK(f.waiting_for(id).empty());
}

TEST_CASE("what an administrator does is done to the message as it is then, not as it was listed", "[queue]") {
    Fixture f;
    std::vector<std::string> ids{f.submit("a@a.example", {"b.example", "c.example"}),
                                 f.submit("a@a.example", {"b.example", "c.example"})};
    std::ranges::sort(ids);
    const auto to_b = f.queue->claim({"smtp:Internet", "b.example", ""}, f.now);
    const auto other = f.queue->claim({"smtp:Internet", "b.example", ""}, f.now);
    REQUIRE((to_b && other));
    const auto& later = to_b->message.id == ids[1] ? *to_b : *other;
    f.queue->release(&later == &*to_b ? *other : *to_b);
    Selection which;
    which.all = true;
    // The second one is delivered to its first recipient while the first one is dealt with.
    QueueVerbs(*f.queue).act(QueueVerb::bounce, which, [&](const std::string& id, const std::string& why) {
        CHECK(why.empty());
        if (id == ids[0])
            f.queue->settle_and_wait(later, {{VerdictKind::proceed, 250, "2.0.0", "250 ok", {}}}, "r", "none");
    });
    for (const auto& id : ids) CHECK(f.waiting_for(id).empty());
    const auto bounced = [&](const std::string& line) {
        return line.starts_with("bounced: id=" + ids[1]) && line.find("x@b.example") != std::string::npos;
    };
    CHECK(std::ranges::none_of(f.log.lines, bounced));
}

TEST_CASE("an id that is not in the queue is told, whatever else is done", "[queue]") {
    Fixture f;
    const auto id = f.submit("a@a.example", {"b.example"});
    Selection which;
    which.ids = {id, "0123456789ABCDEF01", "no id"};
    std::map<std::string, std::string> told;
    QueueVerbs(*f.queue).act(QueueVerb::hold, which,
                             [&](const std::string& one, const std::string& why) { told[one] = why; });
    CHECK(told.size() == 3);
    CHECK(told[id].empty());
    CHECK_FALSE(told["0123456789ABCDEF01"].empty());
    CHECK_FALSE(told["no id"].empty());
}

TEST_CASE("a notice keeps the requirement that its return was chosen for", "[queue]") {
    Fixture f;
    f.submit("a@listed.example", {"b.example"});
    f.outcome("b.example", VerdictKind::reject);
    const auto notice = f.queue->claim({"smtp:Internet", "listed.example", "mutual"}, f.now);
    REQUIRE(notice);
    CHECK(notice->message.recipients.front().requirement == "mutual");
}

TEST_CASE("a retry is known to whoever starts next", "[queue]") {
    Fixture f;
    const auto id = f.submit("a@a.example", {"b.example"});
    f.outcome("b.example", VerdictKind::defer);
    CHECK(f.spool->load(id)->recipients.front().next_attempt > f.now);
    CHECK(f.act(QueueVerb::retry, id).empty());
    CHECK(f.spool->load(id)->recipients.front().next_attempt == f.now);
    CHECK(f.queue->claim({"smtp:Internet", "b.example", ""}, f.now));
}

TEST_CASE("many are removed, each told once, and nothing of them is left", "[queue]") {
    Fixture f;
    for (int i = 0; i < 1200; ++i) f.submit("a@a.example", {"b.example", "c.example"});
    Selection which;
    which.all = true;
    std::map<std::string, int> told;
    QueueVerbs(*f.queue).act(QueueVerb::remove, which,
                             [&](const std::string& id, const std::string& why) { told[id] += why.empty() ? 1 : 100; });
    CHECK(told.size() == 1200);
    CHECK(std::ranges::all_of(told, [](const auto& one) { return one.second == 1; }));
    CHECK(f.queue->size() == 0);
    CHECK(f.spool->keys()->empty());
}
