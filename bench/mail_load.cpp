// The load generator: parallel sessions that send messages of one size, each with an id and the hash of its body, and
// wait for every 250. Prints JSON: messages accepted, seconds, latency from end of data to 250 in milliseconds.
//
//   bench_mail_load --to 127.0.0.1:2525 --messages 10000 [--sessions 16] [--each 20] [--octets 10240]
//                   [--from a@example.org] [--rcpt b@contoso.com] [--chain FILE --key FILE] [--source 127.0.9.1]
//                   [--rate MESSAGES-A-SECOND] [--first ID] [--resume 1]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "wire.hpp"

using namespace postern::bench;
using Clock = std::chrono::steady_clock;

namespace {

struct Wishes {
    std::string address = "127.0.0.1", source = "127.0.9.1", sender = "load@example.org", recipient = "bob@contoso.com";
    std::string chain, key;
    std::uint16_t port = 0;
    long messages = 1000, sessions = 16, each = 20, octets = 10240;
    long first = 0;       // id of the first message
    long rate = 0;        // messages a second in all; 0: as fast as they are taken
    bool resume = false;  // a TLS session is continued by the next connection, where the server gives tickets
};

Wishes wishes_of(int argc, char** argv) {
    Wishes wishes;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const std::string value = argv[i + 1];
        if (name == "--to") {
            wishes.address = value.substr(0, value.find(':'));
            wishes.port = static_cast<std::uint16_t>(std::atoi(value.c_str() + value.find(':') + 1));
        } else if (name == "--messages") wishes.messages = std::atol(value.c_str());
        else if (name == "--sessions") wishes.sessions = std::atol(value.c_str());
        else if (name == "--each") wishes.each = std::atol(value.c_str());
        else if (name == "--first") wishes.first = std::atol(value.c_str());
        else if (name == "--rate") wishes.rate = std::atol(value.c_str());
        else if (name == "--resume") wishes.resume = value == "1";
        else if (name == "--octets") wishes.octets = std::atol(value.c_str());
        else if (name == "--from") wishes.sender = value;
        else if (name == "--rcpt") wishes.recipient = value;
        else if (name == "--chain") wishes.chain = value;
        else if (name == "--key") wishes.key = value;
        else if (name == "--source") wishes.source = value;
        else throw std::runtime_error("there is no option " + std::string(name));
    }
    if (!wishes.port) throw std::runtime_error("--to ADDRESS:PORT is missing");
    return wishes;
}

// Lines of 76 characters; the id makes each body another.
std::string message_of(const Wishes& wishes, long id) {
    std::string body = "message " + std::to_string(id) + "\r\n";
    const std::string line(76, static_cast<char>('a' + std::abs(id) % 26));
    while (static_cast<long>(body.size()) + 400 < wishes.octets) body += line + "\r\n";
    char check[40];
    std::snprintf(check, sizeof check, "%ld %016llx", id, static_cast<unsigned long long>(hash(hash_begin, body)));
    return "From: <" + wishes.sender + ">\r\nTo: <" + wishes.recipient + ">\r\nSubject: load\r\n" +
           "Date: Wed, 25 Nov 2026 12:00:00 +0000\r\nMessage-ID: <" + std::to_string(id) +
           "@load.example.org>\r\nX-Bench: " + check + "\r\n\r\n" + body + ".\r\n";
}

class Load {
public:
    explicit Load(const Wishes& wishes) : wishes_(wishes), own_(wishes.chain, wishes.key) {}

    void session() {
        std::vector<double> mine;
        std::string earlier;
        try {
            while (one_connection(mine, earlier)) {}
        } catch (const std::exception& wrong) {
            std::fprintf(stderr, "%s\n", wrong.what());
            failed_ = true;
        }
        std::lock_guard lock(mutex_);
        latencies_.insert(latencies_.end(), mine.begin(), mine.end());
    }
    bool failed() const { return failed_; }
    long resumed() const { return resumed_; }
    std::vector<double>& latencies() { return latencies_; }

private:
    // False: everything is sent.
    bool one_connection(std::vector<double>& mine, std::string& earlier) {
        if (next_ >= wishes_.messages) return false;
        auto wire = Wire::connect(wishes_.address, wishes_.port, wishes_.source);
        wire->reply('2');
        bool pipelining = hello(*wire);
        if (!wishes_.chain.empty()) {
            wire->send("STARTTLS\r\n");
            wire->reply('2');
            wire->secure(own_, false, earlier);
            resumed_ += wire->resumed();
            pipelining = hello(*wire);
        }
        for (long i = 0; i < wishes_.each; ++i) {
            const long number = next_++;
            if (number >= wishes_.messages) break;
            // At its time whatever the one before took: a server that falls behind does not slow the load down.
            if (wishes_.rate)
                std::this_thread::sleep_until(begun_ + std::chrono::microseconds(number * 1'000'000 / wishes_.rate));
            one_message(*wire, wishes_.first + number, pipelining, mine);
        }
        wire->send("QUIT\r\n");
        wire->reply('2');
        if (wishes_.resume) earlier = wire->session_so_far();
        return true;
    }

    // Whether PIPELINING is offered.
    static bool hello(Wire& wire) {
        wire.send("EHLO load.example.org\r\n");
        bool pipelining = false;
        std::string line;
        do {
            if (!wire.line(line) || line.size() < 4 || !line.starts_with("250"))
                throw std::runtime_error("EHLO was refused: " + line);
            pipelining |= line.substr(4) == "PIPELINING";
        } while (line[3] == '-');
        return pipelining;
    }

    // RFC 2920: the envelope in one piece where it is taken so, as every large sender does.
    void one_message(Wire& wire, long id, bool pipelining, std::vector<double>& mine) {
        const std::string commands[] = {"MAIL FROM:<" + wishes_.sender + ">\r\n",
                                        "RCPT TO:<" + wishes_.recipient + ">\r\n", "DATA\r\n"};
        if (pipelining) wire.send(commands[0] + commands[1] + commands[2]);
        for (const auto& command : commands) {
            if (!pipelining) wire.send(command);
            wire.reply(&command == &commands[2] ? '3' : '2');
        }
        const auto text = message_of(wishes_, id);
        const auto begun = Clock::now();
        wire.send(text);
        wire.reply('2');
        mine.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begun).count());
    }

    const Wishes& wishes_;
    Credentials own_;
    const Clock::time_point begun_ = Clock::now();
    std::atomic<long> next_{0};
    std::atomic<long> resumed_{0};
    std::atomic<bool> failed_{false};
    std::mutex mutex_;
    std::vector<double> latencies_;
};

}  // namespace

int main(int argc, char** argv) try {
    const auto wishes = wishes_of(argc, argv);
    Load load(wishes);
    const auto begun = Clock::now();
    std::vector<std::thread> sessions;
    for (long i = 0; i < wishes.sessions; ++i) sessions.emplace_back([&] { load.session(); });
    for (auto& one : sessions) one.join();
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    auto& all = load.latencies();
    std::sort(all.begin(), all.end());
    const auto at = [&](double part) {
        return all.empty() ? 0.0 : all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
    };
    std::printf("{\"accepted\": %zu, \"seconds\": %.3f, \"p50\": %.2f, \"p99\": %.2f, \"resumed\": %ld}\n", all.size(),
                seconds, at(0.5), at(0.99), load.resumed());
    return load.failed() ? 1 : 0;
} catch (const std::exception& wrong) {
    std::fprintf(stderr, "bench_mail_load: %s\n", wrong.what());
    return 64;
}
