// What a full queue costs: fills the log spool with messages that merely wait, starts on it, and compares how fast
// fresh mail passes with how fast it passes an empty queue. Prints JSON: seconds of the start, octets of memory a
// message that waits, messages a second and CPU microseconds a message through the empty and the full queue.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
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

// Of its own: the index is mapped, and the kernel takes its pages back when it wants.
double own_memory() {
    std::ifstream file("/proc/self/status");
    std::string word;
    double kibibytes = 0;
    while (file >> word)
        if (word == "RssAnon:") file >> kibibytes;
    return kibibytes * 1024;
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

constexpr std::size_t window = 200, passing = 40000;

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

// In processes of their own, so that neither finds the other's memory made ready.
void in_a_process(const std::function<void()>& what) {
    std::fflush(stdout);
    const auto child = ::fork();
    if (child == 0) {
        what();
        std::fflush(stdout);
        std::_Exit(0);
    }
    int status = 1;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) std::exit(1);
}

void measure_full(const std::string& folder, const std::string& body) {
    const auto before = own_memory();
    Life full(folder);
    const auto waiting = full.queue->size();
    std::printf(", \"waiting\": %zu, \"start_seconds\": %.2f, \"octets_a_message\": %.0f, ", waiting, full.started,
                (own_memory() - before) / static_cast<double>(waiting));
    const Destination dead{"smtp:Internet", "dead.example", ""};
    if (auto probe = full.queue->claim(dead, std::chrono::system_clock::now())) {
        full.queue->put_off(dead, "nobody there");
        full.queue->release(*probe);
    }
    pass("full", full, passing, body);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return std::fprintf(stderr, "usage: bench_queued FOLDER MESSAGES\n"), 2;
    const std::string folder = argv[1], small(200, 'x'), usual(4096, 'x');
    const auto count = static_cast<std::size_t>(std::atoll(argv[2]));
    std::filesystem::remove_all(folder);
    std::printf("{");
    in_a_process([&] {
        Life empty(folder);
        pass("empty", empty, passing, usual);
    });
    in_a_process([&] {
        Life life(folder);
        fill(life, count, small, count / 10);
    });
    in_a_process([&] { measure_full(folder, usual); });
    std::printf("}\n");
}
