#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <app/log_sink.hpp>
#include <deque>
#include <fstream>

namespace postern::app {

namespace {

constexpr std::size_t octets_a_file = 50u << 20, older_files = 5;

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
    explicit Sinks(Severity least) : logger("postern", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
        logger.set_level(level(least));
        logger.flush_on(spdlog::level::trace);
        dress();
    }
    void dress() { logger.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc); }
    spdlog::logger logger;
};

StderrLog::StderrLog(Severity least) : sinks_(std::make_unique<Sinks>(least)) {}
StderrLog::~StderrLog() = default;

void StderrLog::write(Severity severity, std::string_view id, std::string_view text) {
    sinks_->logger.log(level(severity), "{}: {}", id, escaped(text));
}

Result<void> StderrLog::also_to(const std::string& file) {
    try {
        sinks_->logger.sinks().push_back(
            std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file, octets_a_file, older_files));
        sinks_->dress();
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
