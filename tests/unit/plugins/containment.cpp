#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <plugins/plugin_set.hpp>
#include <policy/events.hpp>
#include <postern/testing/fake_host.hpp>

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
        providers = set->providers({one});
        set->apply({one});
    }
    Outcome<Judgement> judge(int milliseconds = 0) {
        JudgeRequest request;
        request.crl_grace = std::chrono::seconds(milliseconds);  // the blocking mode takes it for how long
        return test::wait_for(providers->judge->judge(std::move(request)));
    }
    RecordingLog log;
    Counters counters;
    std::unique_ptr<PluginSet> set;
    std::shared_ptr<const Providers> providers;  // as a generation holds them
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
    CHECK_FALSE(world.providers->judge->load_scopes({}));
    CHECK_FALSE(world.set->names()->speaks_for({}, "contoso.com", {}).speaks);
    CHECK_FALSE(world.set->names()->evidence({}, "contoso.com", {}));
    CHECK_FALSE(test::wait_for(world.set->delivery("misbehaves")->deliver({})));
    const policy::AskedQuestion question(Event::mail, nullptr, nullptr);
    CHECK_FALSE(test::wait_for(world.providers->deciders(Event::mail).front().decider->decide(question)));
    CHECK_FALSE(world.providers->tls->load({}));
    CHECK_FALSE(world.providers->tls->accept({}));
    CHECK_FALSE(world.providers->tls->connect({}));
}

TEST_CASE("of two that fill a role the first of the configuration answers, whenever it was loaded", "[plugins]") {
    World world(std::chrono::seconds(30));
    const auto folder = std::string(POSTERN_BUILD_DIR) + "/zoo";
    const std::vector<config::PluginEntry> late{entry("misbehaves", "slow-inline")};
    auto first = entry("fails-in-role", "throw");
    first.settings.children.push_back({"role", "names", {}, "postern.conf", 9});
    const std::vector<config::PluginEntry> both{first, entry("misbehaves", "slow-inline")};
    for (const auto& wanted : {late, both}) {
        REQUIRE(world.set->load(folder, wanted).empty());
        world.set->start(wanted);
        world.providers = world.set->providers(wanted);
        world.set->apply(wanted);
        const bool slow = world.set->names()->speaks_for({}, "contoso.com", {}).matched == "slow.example";
        CHECK(slow == (wanted.size() == 1));
    }
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
    auto waiting = world.providers->judge->judge(slow);
    // Questions are taken until the call has been running for longer than the deadline.
    Outcome<Judgement> refused = Judgement{};
    for (int i = 0; i < 1000 && refused; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        auto pending = world.providers->judge->judge({});
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
    for (int i = 0; i < 8; ++i) pending.push_back(world.providers->judge->judge(slow));
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

TEST_CASE("a plugin taken out of the configuration answers the generations that name it, and then nobody",
          "[plugins]") {
    World world;
    world.use(entry("misbehaves", "twice"));
    auto* judge = world.providers->judge;
    world.set->apply({});
    CHECK(world.set->providers({entry("misbehaves")})->judge == nullptr);
    CHECK(world.set->loaded().empty());
    CHECK(test::wait_for(judge->judge({})));
    world.set->sweep();
    CHECK(test::wait_for(judge->judge({})));
    world.providers.reset();
    world.set->sweep();
    const auto late = test::wait_for(judge->judge({}));
    REQUIRE_FALSE(late);
    CHECK(late.failure.text.find("retired") != std::string::npos);
}

TEST_CASE("what was loaded for a refused configuration goes with it", "[plugins]") {
    World world;
    const auto one = entry("misbehaves", "twice");
    REQUIRE(world.set->load(std::string(POSTERN_BUILD_DIR) + "/zoo", {one}).empty());
    world.set->start({one});
    CHECK(world.set->providers({one})->judge != nullptr);
    world.set->withdraw();
    CHECK(world.set->providers({one})->judge == nullptr);
}

// A folder of its own, so that the file can be replaced.
struct Replaceable {
    Replaceable() {
        std::string name = "/tmp/postern-plugins-XXXXXX";
        if (!::mkdtemp(name.data())) throw std::runtime_error("no folder for the test");
        folder = name;
        install();
    }
    Replaceable(const Replaceable&) = delete;
    Replaceable& operator=(const Replaceable&) = delete;
    ~Replaceable() { std::filesystem::remove_all(folder); }
    void install() const {
        std::filesystem::copy_file(std::string(POSTERN_BUILD_DIR) + "/zoo/misbehaves.so", folder / "new");
        std::filesystem::rename(folder / "new", folder / "misbehaves.so");
    }
    std::vector<config::ConfigProblem> load(PluginSet& set) const { return set.load(folder.string(), {wanted}); }
    std::filesystem::path folder;
    config::PluginEntry wanted = entry("misbehaves", "twice");
};

TEST_CASE("a newer file renamed over its own serves once the configuration is taken", "[plugins]") {
    World world;
    Replaceable files;
    REQUIRE(files.load(*world.set).empty());
    world.set->start({files.wanted});
    const auto old = world.set->providers({files.wanted});
    world.set->apply({files.wanted});
    REQUIRE(files.load(*world.set).empty());
    CHECK(world.set->providers({files.wanted})->judge == old->judge);

    files.install();
    REQUIRE(files.load(*world.set).empty());
    world.set->start({files.wanted});
    const auto fresh = world.set->providers({files.wanted});
    REQUIRE(fresh->judge);
    CHECK(fresh->judge != old->judge);
    CHECK(world.set->loaded().size() == 1);
    world.set->withdraw();
    CHECK(world.set->providers({files.wanted})->judge == old->judge);

    REQUIRE(files.load(*world.set).empty());
    world.set->start({files.wanted});
    const auto taken = world.set->providers({files.wanted});
    world.set->apply({files.wanted});
    CHECK(world.log.has("plugin-replaced"));
    CHECK(world.set->loaded().size() == 1);
    CHECK(test::wait_for(taken->judge->judge({})));
    CHECK(test::wait_for(old->judge->judge({})));
}

TEST_CASE("a file overwritten in place, gone or open to others is refused and the loaded one stays", "[plugins]") {
    World world;
    Replaceable files;
    REQUIRE(files.load(*world.set).empty());
    world.set->start({files.wanted});
    world.set->apply({files.wanted});
    const auto file = files.folder / "misbehaves.so";
    std::filesystem::permissions(file, std::filesystem::perms::others_write, std::filesystem::perm_options::add);
    auto problems = files.load(*world.set);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].problem.find("is writable by others; chmod o-w it") != std::string::npos);
    std::filesystem::permissions(file, std::filesystem::perms::others_write, std::filesystem::perm_options::remove);
    // A longer note behind the end harms nothing that is mapped; to us it is a file that was written to.
    std::ofstream(file, std::ios::app) << '\0';
    problems = files.load(*world.set);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].problem.find("was overwritten in place") != std::string::npos);
    std::filesystem::remove(file);
    problems = files.load(*world.set);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].problem.find("install it, or take it out of plugins") != std::string::npos);
    CHECK(world.set->loaded().size() == 1);
}
