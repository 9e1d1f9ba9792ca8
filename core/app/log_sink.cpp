#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <app/log_sink.hpp>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <thread>

namespace postern::app {

namespace {

constexpr std::size_t octets_a_file = 50u << 20, older_files = 5;
// What a line costs is its write, and the waking of whoever reads: under load many go together.
constexpr std::chrono::milliseconds late{5};
constexpr std::size_t most_waiting = 64u << 10;
constexpr const char* pattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

// Lines wait here under the sink's own lock; a thread of its own writes them, and what lies in the file's buffer.
class GatheringSink : public spdlog::sinks::base_sink<std::mutex> {
public:
    GatheringSink() : thread_([this] { run(); }) {}
    ~GatheringSink() override {
        {
            std::lock_guard lock(mutex_);
            ending_ = true;
        }
        news_.notify_one();
        thread_.join();
    }
    void beside(spdlog::sink_ptr file) {
        std::lock_guard lock(mutex_);
        file_ = std::move(file);
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        const bool first = waiting_.empty();
        waiting_.append(line.data(), line.size());
        if (waiting_.size() >= most_waiting) flush_();
        else if (first) news_.notify_one();
    }
    void flush_() override {
        for (std::string_view rest = waiting_; !rest.empty();) {
            const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) break;  // nobody is left to tell
            rest.remove_prefix(static_cast<std::size_t>(written));
        }
        waiting_.clear();
    }

private:
    void run() {
        std::unique_lock lock(mutex_);
        while (!ending_) {
            news_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
            news_.wait_for(lock, late, [this] { return ending_; });
            flush_();
            const auto file = file_;
            lock.unlock();  // a line on its way into both takes this lock first
            if (file) file->flush();
            lock.lock();
        }
        flush_();
    }
    std::condition_variable news_;
    std::string waiting_;
    spdlog::sink_ptr file_;
    bool ending_ = false;
    std::thread thread_;  // last: it uses the others
};

spdlog::level::level_enum level(Severity severity) {
    switch (severity) {
        case Severity::debug:
            return spdlog::level::debug;
        case Severity::info:
            return spdlog::level::info;
        case Severity::warning:
            return spdlog::level::warn;
        case Severity::error:
            break;
    }
    return spdlog::level::err;
}

}  // namespace

struct StderrLog::Sinks {
    explicit Sinks(Severity least) : gathering(std::make_shared<GatheringSink>()), logger("postern", gathering) {
        logger.set_level(level(least));
        logger.flush_on(spdlog::level::err);
        dress();
    }
    void dress() { logger.set_pattern(pattern, spdlog::pattern_time_type::utc); }
    std::shared_ptr<GatheringSink> gathering;
    spdlog::logger logger;
};

StderrLog::StderrLog(Severity least) : sinks_(std::make_unique<Sinks>(least)) {}
StderrLog::~StderrLog() = default;

void StderrLog::write(Severity severity, std::string_view id, std::string_view text) {
    sinks_->logger.log(level(severity), "{}: {}", id, escaped(text));
}

void StderrLog::flush() { sinks_->logger.flush(); }

Result<void> StderrLog::also_to(const std::string& file) {
    try {
        auto rotating = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file, octets_a_file, older_files);
        // First: what it was given is in its buffer before the other sink's thread looks.
        auto& sinks = sinks_->logger.sinks();
        sinks.insert(sinks.begin(), rotating);
        sinks_->dress();
        sinks_->gathering->beside(std::move(rotating));
        return {};
    } catch (const spdlog::spdlog_ex& failed) {
        return Problem{"start-failed", "log_file " + file + " cannot be written: " + failed.what()};
    }
}

std::unique_ptr<StderrLog> make_stderr_log(Severity least) { return std::make_unique<StderrLog>(least); }

std::vector<std::string> lines_with(const std::string& file, std::string_view text, std::size_t most) {
    std::deque<std::string> found;
    for (auto older = older_files + 1; older-- > 0;) {
        std::ifstream from(spdlog::sinks::rotating_file_sink_mt::calc_filename(file, older));
        for (std::string line; std::getline(from, line);) {
            if (line.find(text) == std::string::npos) continue;
            found.push_back(std::move(line));
            if (found.size() > most) found.pop_front();
        }
    }
    return {found.begin(), found.end()};
}

}  // namespace postern::app
