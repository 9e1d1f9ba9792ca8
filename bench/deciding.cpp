// What a decision costs: by a Lua script that asks a secure list of 10,000 entries, by a native decider inline and on
// its lane, beside two threads that only wake each other; and how long a runaway script keeps its thread. Prints JSON,
// nanoseconds a decision (median of the rounds).
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <plugins/plugin_set.hpp>
#include <policy/events.hpp>
#include <policy/secure_list.hpp>
#include <script/script_set.hpp>
#include <thread>

using namespace postern;

namespace {

struct Quiet : Log {
    void write(Severity, std::string_view, std::string_view) override {}
};

struct OneSession : Session {
    std::string_view id() const override { return "0123456789ABCDEF"; }
    std::string_view connector() const override { return "Inet"; }
    std::string_view remote_address() const override { return "192.0.2.1"; }
    std::string_view helo() const override { return "mail1.example.org"; }
    const TlsFacts* tls() const override { return nullptr; }
    bool outbound() const override { return false; }
};
struct OneEnvelope : Envelope {
    std::string_view sender() const override { return "eve@d5000.example"; }
    std::string_view sender_domain() const override { return "d5000.example"; }
    std::size_t recipients() const override { return 0; }
    std::string_view recipient(std::size_t) const override { return {}; }
    std::string_view recipient_domain(std::size_t) const override { return {}; }
};

double nanoseconds(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <class Work>
double each(int count, clockid_t clock, Work work) {
    std::vector<double> rounds;
    for (int round = 0; round < 7; ++round) {
        const auto begun = nanoseconds(clock);
        for (int i = 0; i < count; ++i) work();
        rounds.push_back((nanoseconds(clock) - begun) / count);
    }
    std::ranges::sort(rounds);
    return rounds[rounds.size() / 2];
}

script::ScriptHost host_of(const std::filesystem::path& folder, const std::string& text,
                           const policy::SecureList& list) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "policy.lua") << text;
    std::vector<config::ConfigProblem> problems;
    auto scripts = script::ScriptSet::load(folder.string(), problems);
    for (const auto& one : problems) std::fprintf(stderr, "%s\n", config::to_text(one).c_str());
    if (!scripts) std::exit(1);
    script::ScriptHostParts parts;
    parts.listed = [&list](std::string_view, std::string_view domain) { return list.entry_for(domain); };
    return script::ScriptHost(std::move(scripts), std::move(parts));
}

// The answer of a decider on its lane, waited for as a worker would be woken.
void wait_for(Pending<Decision> pending) {
    std::mutex mutex;
    std::condition_variable rung;
    bool there = false;
    pending.on_ready([&] {
        std::lock_guard lock(mutex);
        there = true;
        rung.notify_one();
    });
    std::unique_lock lock(mutex);
    rung.wait(lock, [&] { return there; });
}

// What a lane cannot do without: another thread wakes, and wakes this one. Nothing else is done.
class Echo {
public:
    ~Echo() {
        pass(2);
        thread_.join();
    }
    void ask() {
        pass(1);
        std::unique_lock lock(mutex_);
        back_.wait(lock, [&] { return asked_ == 0; });
    }

private:
    void pass(int what) {
        std::lock_guard lock(mutex_);
        asked_ = what;
        there_.notify_one();
    }
    void answer() {
        for (std::unique_lock lock(mutex_);;) {
            there_.wait(lock, [&] { return asked_ != 0; });
            if (asked_ == 2) return;
            asked_ = 0;
            back_.notify_one();
        }
    }

    std::mutex mutex_;
    std::condition_variable there_, back_;
    int asked_ = 0;
    std::thread thread_{[this] { answer(); }};
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return std::fputs("usage: bench_deciding SCRATCH-FOLDER PLUGIN-FOLDER\n", stderr), 64;
    const std::filesystem::path folder = argv[1];
    policy::SecureList list;
    for (int i = 0; i < 10'000; ++i) list.add("d" + std::to_string(i) + ".example");
    const OneSession session;
    const OneEnvelope envelope;
    const policy::AskedQuestion question(Event::mail, &session, &envelope, {}, "d5000.example");

    auto deciding =
        host_of(folder / "deciding",
                "postern.on('mail', function(session, envelope)\n"
                "  if postern.listed('receive', envelope.sender_domain) then return { min_tls = '1.3' } end\n"
                "end)\n",
                list);
    const double lua = each(200'000, CLOCK_MONOTONIC, [&] { (void)deciding.decide(question); });
    auto runaway = host_of(folder / "runaway", "postern.on('mail', function() while true do end end)\n", list);
    const double ended = each(3, CLOCK_THREAD_CPUTIME_ID, [&] { (void)runaway.decide(question); });

    Quiet log;
    Counters counters;
    Alarms alarms(log, counters);
    plugins::HostParts parts;
    parts.log = &log;
    parts.counters = &counters;
    parts.alarms = &alarms;
    plugins::PluginSet set(std::move(parts));
    const auto ask = [&](const char* name) {
        config::PluginEntry entry;
        entry.name = name;
        entry.settings.key = name;
        for (const auto& one : set.load(argv[2], {entry})) std::fprintf(stderr, "%s\n", config::to_text(one).c_str());
        set.start({entry});
        return set.providers({entry});
    };
    const auto inline_ones = ask("bench-inline"), lane_ones = ask("bench-lane");
    if (inline_ones->deciders(Event::mail).empty() || lane_ones->deciders(Event::mail).empty()) return 1;
    auto* in_line = inline_ones->deciders(Event::mail).front().decider;
    auto* on_lane = lane_ones->deciders(Event::mail).front().decider;
    const double native = each(500'000, CLOCK_MONOTONIC, [&] { (void)in_line->decide(question).take(); });
    const double lane = each(20'000, CLOCK_MONOTONIC, [&] { wait_for(on_lane->decide(question)); });
    const double lane_cpu = each(20'000, CLOCK_PROCESS_CPUTIME_ID, [&] { wait_for(on_lane->decide(question)); });
    Echo echo;
    const double echoed = each(20'000, CLOCK_MONOTONIC, [&] { echo.ask(); });
    const double echo_cpu = each(20'000, CLOCK_PROCESS_CPUTIME_ID, [&] { echo.ask(); });
    std::printf(
        "{\"lua\": %.1f, \"inline\": %.1f, \"lane\": %.1f, \"lane_cpu\": %.1f, \"echo\": %.1f, \"echo_cpu\": %.1f, "
        "\"runaway\": %.0f}\n",
        lua, native, lane, lane_cpu, echoed, echo_cpu, ended);
}
