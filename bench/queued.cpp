// What a full queue costs: fills the log spool with messages that merely wait, starts on it, and compares how fast
// fresh mail passes with how fast it passes an empty queue. Prints JSON: seconds of the start, octets of memory a
// message that waits, messages a second and CPU microseconds a message through the empty and the full queue.
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <queue/log_spool.hpp>
#include <queue/queue.hpp>
#include <string>

using namespace postern;
using namespace postern::queue;

namespace {

struct Quiet : Log {
    void write(Severity, std::string_view, std::string_view) override {}
};

double cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double resident() {
    std::ifstream file("/proc/self/statm");
    double all = 0, pages = 0;
    file >> all >> pages;
    return pages * 4096;
}

// A process's life with the spool.
struct Life {
    explicit Life(const std::string& folder) : spool(std::move(*open_log_spool(folder))) {
        Queue::Parts parts{
            *spool, log, counters, {}, {}, "mail1.contoso.com", [] { return std::chrono::system_clock::now(); },
            {},     {}};
        parts.router = [](const QueuedMessage&, const QueuedRecipient& one) {
            return Destination{"smtp:Internet", one.domain, one.requirement};
        };
        parts.retry = [](const Destination&) { return config::Retry{}; };
        queue = std::make_unique<Queue>(std::move(parts));
        const auto began = std::chrono::steady_clock::now();
        if (!queue->recover()) std::exit(1);
        started = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    }
    ~Life() { spool.reset(); }
    Quiet log;
    Counters counters;
    std::unique_ptr<Spool> spool;
    std::unique_ptr<Queue> queue;
    double started = 0;
};

QueuedMessage message(const std::string& id, const std::string& domain, std::size_t size, Time next) {
    QueuedMessage one;
    one.id = id;
    one.received = std::chrono::system_clock::now();
    one.sender = "load@example.org";
    one.connector = "Inet";
    one.session = "08C895F533E837EC";
    one.size = size;
    auto& to = one.recipients.emplace_back();
    to.address = "bob@" + domain;
    to.domain = domain;
    to.next_attempt = next;
    return one;
}

// Keeps `window` messages under way, as that many sessions do.
class Window {
public:
    explicit Window(std::size_t window) : left_(window) {}
    void enter() {
        for (;;) {
            auto now = left_.load();
            if (now == 0) left_.wait(0);
            else if (left_.compare_exchange_weak(now, now - 1)) return;
        }
    }
    void leave() {
        left_.fetch_add(1);
        left_.notify_one();
    }
    void drain(std::size_t window) {
        for (std::size_t i = 0; i < window; ++i) enter();
        for (std::size_t i = 0; i < window; ++i) leave();
    }

private:
    std::atomic<std::size_t> left_;
};

constexpr std::size_t window = 200;

void submit(Life& life, const QueuedMessage& one, const std::string& body, const std::function<void()>& then) {
    auto incoming = std::move(*life.spool->begin());
    if (!incoming->append(body)) std::exit(1);
    life.queue->submit(std::move(incoming), one, [then](Result<void> result) {
        if (!result) std::exit(1);
        then();
    });
}

void fill(Life& life, std::size_t count, const std::string& body, std::size_t dead) {
    Window under_way(window);
    const auto later = std::chrono::system_clock::now() + std::chrono::hours(1);
    for (std::size_t i = 0; i < count; ++i) {
        under_way.enter();
        // A tenth for one destination that is dead and due, the rest spread, to be tried later.
        const bool is_dead = i < dead;
        const auto domain = is_dead ? std::string("dead.example") : "d" + std::to_string(i % 5000) + ".example";
        submit(life, message(life.spool->new_id(), domain, body.size(), is_dead ? Time{} : later), body,
               [&] { under_way.leave(); });
    }
    under_way.drain(window);
}

// In, claimed, delivered, removed.
void pass(const char* what, Life& life, std::size_t count, const std::string& body) {
    Window under_way(window);
    const Destination destination{"smtp:Internet", "alive.example", ""};
    const auto began = std::chrono::steady_clock::now();
    const auto cpu = cpu_seconds();
    for (std::size_t i = 0; i < count; ++i) {
        under_way.enter();
        submit(life, message(life.spool->new_id(), "alive.example", body.size(), {}), body, [&] {
            auto batch = life.queue->claim(destination, std::chrono::system_clock::now());
            if (!batch) std::exit(1);
            const smtp::RecipientOutcome taken{VerdictKind::proceed, 250, "2.0.0", "ok", {}};
            life.queue->settle(*batch, {taken}, "relay", "none", [&] { under_way.leave(); });
        });
    }
    under_way.drain(window);
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    std::printf("\"%s_a_second\": %.0f, \"%s_cpu_microseconds\": %.1f", what, static_cast<double>(count) / took, what,
                (cpu_seconds() - cpu) * 1e6 / static_cast<double>(count));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return std::fprintf(stderr, "usage: bench_queued FOLDER MESSAGES\n"), 2;
    const std::string folder = argv[1], small(200, 'x'), usual(4096, 'x');
    const auto count = static_cast<std::size_t>(std::atoll(argv[2]));
    std::filesystem::remove_all(folder);
    constexpr std::size_t passing = 40000;
    std::printf("{");
    {
        Life empty(folder);
        pass("empty", empty, passing, usual);
        fill(empty, count, small, count / 10);
    }
    const auto before = resident();
    Life full(folder);
    std::printf(", \"waiting\": %zu, \"start_seconds\": %.2f, \"octets_a_message\": %.0f, ", full.queue->size(),
                full.started, (resident() - before) / static_cast<double>(count));
    const Destination dead{"smtp:Internet", "dead.example", ""};
    if (auto probe = full.queue->claim(dead, std::chrono::system_clock::now())) {
        full.queue->put_off(dead, "nobody there");
        full.queue->release(*probe);
    }
    pass("full", full, passing, usual);
    std::printf("}\n");
    std::fflush(stdout);
    std::_Exit(0);
}
