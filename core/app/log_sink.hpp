// Log lines to stderr (journald takes them from there), and to a file of our own where the configuration names one: one
// line an event, severity, id, text with controls escaped. Lines are written together, some milliseconds late; an error
// takes all before it along at once. Also finds lines again in that file.
#pragma once

#include <base/failure.hpp>
#include <base/log.hpp>
#include <memory>
#include <string>
#include <vector>

namespace postern::app {

class StderrLog : public Log {
public:
    explicit StderrLog(Severity least);
    ~StderrLog() override;
    void write(Severity severity, std::string_view id, std::string_view text) override;
    // Before anybody else writes. A file has 50 MB, and five older ones stay beside it.
    Result<void> also_to(const std::string& file);
    // What was logged is written when it returns.
    void flush();

private:
    struct Sinks;
    std::unique_ptr<Sinks> sinks_;
};

std::unique_ptr<StderrLog> make_stderr_log(Severity least);

// The last `most` lines of the file and its older ones that hold `text`, the oldest first. Blocks.
std::vector<std::string> lines_with(const std::string& file, std::string_view text, std::size_t most);

}  // namespace postern::app
