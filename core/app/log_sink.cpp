#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <app/log_sink.hpp>

namespace postern::app {

namespace {

class StderrLog : public Log {
public:
    explicit StderrLog(Severity least) : logger_("postern", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
        logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
        logger_.set_level(level(least));
        logger_.flush_on(spdlog::level::trace);
    }
    void write(Severity severity, std::string_view id, std::string_view text) override {
        logger_.log(level(severity), "{}: {}", id, escaped(text));
    }

private:
    static spdlog::level::level_enum level(Severity severity) {
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
    spdlog::logger logger_;
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(Severity least) { return std::make_unique<StderrLog>(least); }

}  // namespace postern::app
