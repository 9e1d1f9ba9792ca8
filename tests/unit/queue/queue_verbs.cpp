#include <stdlib.h>

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
    Result<Ref<MessageSource>> open(const std::string& id) override { return under_->open(id); }
    Result<QueuedMessage> load(const std::string& id) override { return under_->load(id); }
    void update(const QueuedMessage& message, Done done) override { under_->update(message, std::move(done)); }
    void remove(const std::string& id, Done done) override { under_->remove(id, std::move(done)); }
    std::vector<MessageKey> keys() const override { return under_->keys(); }
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
    for (const auto verb : {QueueVerb::hold, QueueVerb::bounce}) {
        Fixture f;
        const auto first = f.submit("a@a.example", {"b.example", "c.example"});
        const auto second = f.submit("a@a.example", {"b.example", "c.example"});
        Selection which;
        which.all = true;
        // The second one is delivered to its first recipient while the first one is dealt with.
        auto told = [&, again = false](const std::string&, const std::string&) mutable {
            if (std::exchange(again, true)) return;
            const auto& later = first < second ? second : first;
            for (auto batch = f.queue->claim({"smtp:Internet", "b.example", ""}, f.now); batch;
                 batch = f.queue->claim({"smtp:Internet", "b.example", ""}, f.now))
                if (batch->message.id == later)
                    f.queue->settle_and_wait(*batch, {{VerdictKind::proceed, 250, "2.0.0", "250 ok", {}}}, "r", "none");
        };
        QueueVerbs(*f.queue).act(verb, which, told);
        const auto& later = first < second ? second : first;
        if (verb == QueueVerb::hold) CHECK(f.waiting_for(later) == Addresses{"x@c.example"});
        for (const auto& line : f.log.lines)
            CHECK_FALSE((line.find("bounced: id=" + later) == 0 && line.find("x@b.example") != std::string::npos));
    }
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
