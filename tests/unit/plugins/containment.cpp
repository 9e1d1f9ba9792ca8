#include <catch2/catch.hpp>
#include <plugins/plugin_set.hpp>
#include <policy/events.hpp>
#include <support/fake_host.hpp>

using namespace postern;
using namespace postern::plugins;

namespace {

struct RecordingLog : Log {
    void write(Severity, std::string_view id, std::string_view text) override {
        std::lock_guard lock(mutex);
        lines.push_back(std::string(id) + " " + std::string(text));
    }
    bool has(const std::string& part) {
        std::lock_guard lock(mutex);
        for (const auto& line : lines)
            if (line.find(part) != std::string::npos) return true;
        return false;
    }
    std::mutex mutex;
    std::vector<std::string> lines;
};

config::PluginEntry entry(const std::string& name, const std::string& mode = {}) {
    config::PluginEntry one;
    one.name = name;
    one.settings.key = name;
    one.settings.file = "postern.conf";
    one.settings.line = 7;
    if (!mode.empty()) one.settings.children.push_back({"mode", mode, {}, "postern.conf", 8});
    return one;
}

struct World {
    explicit World(Milliseconds deadline = std::chrono::seconds(30)) {
        HostParts parts;
        parts.log = &log;
        parts.counters = &counters;
        parts.lane_deadline = deadline;
        parts.lane_queue = 4;
        set = std::make_unique<PluginSet>(std::move(parts));
    }
    void use(const config::PluginEntry& one) {
        const auto problems = set->load(std::string(POSTERN_BUILD_DIR) + "/zoo", {one});
        REQUIRE(problems.empty());
        set->start({one});
        set->apply({one});
    }
    Outcome<Judgement> judge(int milliseconds = 0) {
        JudgeRequest request;
        request.crl_grace = std::chrono::seconds(milliseconds);  // the blocking mode takes it for how long
        return test::wait_for(set->judge()->judge(std::move(request)));
    }
    RecordingLog log;
    Counters counters;
    std::unique_ptr<PluginSet> set;
};

}  // namespace

TEST_CASE("a plugin that throws at its start provides nothing", "[plugins]") {
    World world;
    world.use(entry("throws-at-start"));
    CHECK(world.set->names() == nullptr);
    CHECK(world.log.has("threw at its start"));
}

TEST_CASE("whatever role throws, the question fails closed and names the plugin", "[plugins]") {
    World world;
    world.use(entry("misbehaves", "throw"));
    const auto judged = world.judge();
    REQUIRE_FALSE(judged);
    CHECK(judged.failure.token == "plugin-failed");
    CHECK(judged.failure.text.find("misbehaves") != std::string::npos);
    CHECK_FALSE(world.set->judge()->load_scopes({}));
    CHECK_FALSE(world.set->names()->speaks_for({}, "contoso.com", {}).speaks);
    CHECK_FALSE(test::wait_for(world.set->delivery("misbehaves")->deliver({})));
    const policy::AskedQuestion question(Event::mail, nullptr, nullptr);
    CHECK_FALSE(test::wait_for(world.set->deciders(Event::mail).front().decider->decide(question)));
    CHECK_FALSE(world.set->tls()->load({}));
    CHECK_FALSE(world.set->tls()->accept({}));
    CHECK_FALSE(world.set->tls()->connect({}));
}

TEST_CASE("an answer that is dropped is a failure, a second one is ignored", "[plugins]") {
    World never, twice;
    never.use(entry("misbehaves", "never"));
    const auto dropped = never.judge();
    REQUIRE_FALSE(dropped);
    CHECK(dropped.failure.text.find("without an answer") != std::string::npos);
    twice.use(entry("misbehaves", "twice"));
    const auto first = twice.judge();
    REQUIRE(first);
    CHECK(first->sentence == "first");
}

TEST_CASE("a lane whose call does not come back is stalled: the next question is refused at once", "[plugins]") {
    World world(Milliseconds(20));
    world.use(entry("misbehaves", "block"));
    JudgeRequest slow;
    slow.crl_grace = std::chrono::seconds(400);
    auto waiting = world.set->judge()->judge(slow);
    // Questions are taken until the call has been running for longer than the deadline.
    Outcome<Judgement> refused = Judgement{};
    for (int i = 0; i < 1000 && refused; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        auto pending = world.set->judge()->judge({});
        if (pending.ready()) refused = pending.take();
        if (!refused && refused.failure.text.find("full") != std::string::npos) refused = Judgement{};
    }
    REQUIRE_FALSE(refused);
    CHECK(refused.failure.text.find("stalled") != std::string::npos);
    CHECK(test::wait_for(std::move(waiting)));
    // It came back: the lane serves again.
    Outcome<Judgement> served = Failure{};
    for (int i = 0; i < 5000 && !served; ++i) {
        served = world.judge();
        if (!served) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(served);
}

TEST_CASE("a full lane refuses instead of growing", "[plugins]") {
    World world;
    world.use(entry("misbehaves", "block"));
    JudgeRequest slow;
    slow.crl_grace = std::chrono::seconds(200);
    std::vector<Pending<Judgement>> pending;
    for (int i = 0; i < 8; ++i) pending.push_back(world.set->judge()->judge(slow));
    int refused = 0;
    for (auto& one : pending)
        if (one.ready() && one.take().failure.text.find("full") != std::string::npos) ++refused;
    CHECK(refused >= 3);
}

TEST_CASE("who promised not to block and does is named", "[plugins]") {
    World world;
    world.use(entry("misbehaves", "slow-inline"));
    CHECK(world.set->names()->speaks_for({}, "contoso.com", {}).speaks);
    CHECK(world.log.has("plugin-blocked misbehaves held a worker"));
}

TEST_CASE("a plugin that throws in check is a fault of the configuration with its line", "[plugins]") {
    World world;
    const auto one = entry("misbehaves", "throw-at-check");
    REQUIRE(world.set->load(std::string(POSTERN_BUILD_DIR) + "/zoo", {one}).empty());
    const auto problems = world.set->check({one});
    REQUIRE(problems.size() == 1);
    CHECK(config::to_text(problems.front()).find("postern.conf:7: plugins.misbehaves: ") == 0);
}

TEST_CASE("what throws while it takes settings up or ends harms nobody", "[plugins]") {
    World world;
    world.use(entry("misbehaves", "throw-at-apply"));
    CHECK(world.log.has("threw while it took its settings up"));
    World other;
    other.use(entry("misbehaves", "throw-at-end"));
    other.set->retire();
    CHECK(other.log.has("threw at its end"));
}

TEST_CASE("an unknown role is named and left alone", "[plugins]") {
    World world;
    world.use(entry("misbehaves"));
    CHECK(world.log.has("postern.unheard-of.7"));
}

TEST_CASE("a plugin taken out of the configuration provides nothing more, and its providers stay callable",
          "[plugins]") {
    World world;
    world.use(entry("misbehaves", "twice"));
    auto* judge = world.set->judge();
    world.set->apply({});
    CHECK(world.set->judge() == nullptr);
    CHECK(world.set->loaded().empty());
    const auto late = test::wait_for(judge->judge({}));
    REQUIRE_FALSE(late);
    CHECK(late.failure.text.find("retired") != std::string::npos);
}

TEST_CASE("what was loaded for a refused configuration goes with it", "[plugins]") {
    World world;
    const auto one = entry("misbehaves", "twice");
    REQUIRE(world.set->load(std::string(POSTERN_BUILD_DIR) + "/zoo", {one}).empty());
    world.set->start({one});
    CHECK(world.set->judge() != nullptr);
    world.set->withdraw();
    CHECK(world.set->judge() == nullptr);
}
