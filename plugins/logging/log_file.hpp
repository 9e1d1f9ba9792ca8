// The files of one direction: RECV20261124-1.LOG and on. Appends whole lines or none, begins a new file by size and by
// day, removes what is too old or too much. One thread's.
#pragma once

#include <logging/settings.hpp>

namespace postern::logging {

class LogFile {
public:
    // `kind`: "receive" or "send": names folder, files and the head's Log-type.
    LogFile(std::string kind, std::string prefix) : kind_(std::move(kind)), prefix_(std::move(prefix)) {}
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;
    ~LogFile() { close(); }

    void configure(const Settings& settings);
    // Empty, or why nothing of it was written; a part that was is taken back.
    std::string append(std::string_view lines, Time now);
    void close();

private:
    std::string open(Time now, std::size_t wanted);
    std::string write(std::string_view octets);
    void remove_old(Time now) const;
    std::string folder() const { return settings_.folder + "/" + kind_; }

    std::string kind_, prefix_;
    Settings settings_;
    std::string day_, path_;
    int file_ = -1;
    std::uint64_t size_ = 0;
};

// The files of a folder, oldest first.
std::vector<std::string> log_files(const std::string& folder);

}  // namespace postern::logging
