// What is wrong right now and needs an operator: an error event with a stable id, a gauge at 1, and a line of
// `postern status`, which then exits 1. Raised again it is not logged again; ended it leaves the gauge at 0. Any
// thread.
#pragma once

#include <base/counters.hpp>
#include <base/log.hpp>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace postern {

struct Alarm {
    std::string id, subject, text;
};

class Alarms {
public:
    Alarms(Log& log, Counters& counters) : log_(log), counters_(counters) {}
    void raise(std::string_view id, std::string_view subject, std::string_view text);
    void end(std::string_view id, std::string_view subject);
    std::vector<Alarm> standing() const;

private:
    Log& log_;
    Counters& counters_;
    mutable std::mutex mutex_;
    std::map<std::pair<std::string, std::string>, std::string> standing_;
};

}  // namespace postern
