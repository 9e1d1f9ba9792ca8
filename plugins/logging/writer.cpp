#include <logging/line.hpp>
#include <logging/messages.hpp>
#include <logging/writer.hpp>

namespace postern::logging {

void Writer::configure(const Settings& settings) {
    std::lock_guard lock(mutex_);
    receive_.configure(settings);
    send_.configure(settings);
    configured_ = true;
}

void Writer::stop() {
    std::lock_guard lock(mutex_);
    receive_.close();
    send_.close();
    configured_ = false;
}

void Writer::append(LogFile& file, const std::string& lines, std::size_t count) {
    if (lines.empty()) return;
    const auto problem = file.append(lines, host_.now());
    if (!problem.empty()) host_.count("postern_log_write_failures_total", {}, static_cast<double>(count));
    if (problem.empty() == !failing_) return;
    failing_ = !problem.empty();
    if (failing_) host_.log(Severity::error, messages::protocol_log_failed, problem + "; mail flows on without it");
    host_.alarm(messages::protocol_log_failed, {}, problem);
}

void Writer::protocol(const std::vector<ProtocolRecord>& records) {
    std::string received, sent;
    std::size_t count_received = 0, count_sent = 0;
    for (const auto& record : records) {
        (record.outbound ? sent : received) += to_line(record);
        ++(record.outbound ? count_sent : count_received);
    }
    std::lock_guard lock(mutex_);
    if (!configured_) return;
    append(receive_, received, count_received);
    append(send_, sent, count_sent);
}

}  // namespace postern::logging
