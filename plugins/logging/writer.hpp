// Role ProtocolObserver: takes batches of records on the plugin's lane and appends them to the files of their
// direction. What cannot be written is counted and forgotten: logging never holds up mail.
#pragma once

#include <logging/log_file.hpp>
#include <mutex>

namespace postern::logging {

class Writer final : public ProtocolObserver {
public:
    explicit Writer(Host& host) : host_(host) {}
    void configure(const Settings& settings);
    void stop();
    void protocol(const std::vector<ProtocolRecord>& records) override;

private:
    void append(LogFile& file, const std::string& lines, std::size_t count);

    Host& host_;
    std::mutex mutex_;  // settings come from the reload thread
    LogFile receive_{"receive", "RECV"}, send_{"send", "SEND"};
    bool configured_ = false, failing_ = false;
};

}  // namespace postern::logging
