#include <base/alarms.hpp>

namespace postern {

void Alarms::raise(std::string_view id, std::string_view subject, std::string_view text) {
    {
        std::lock_guard lock(mutex_);
        auto [place, fresh] = standing_.try_emplace({std::string(id), std::string(subject)}, text);
        if (!fresh) {
            place->second = text;
            return;
        }
        // Under the lock: a raise and an end at once must leave the gauge as the list stands.
        counters_.set("postern_alarm", labels({{"alarm", id}, {"subject", subject}}), 1);
    }
    log_.error(id, std::string("ALARM ") + std::string(subject) + (subject.empty() ? "" : ": ") + std::string(text));
}

void Alarms::end(std::string_view id, std::string_view subject) {
    {
        std::lock_guard lock(mutex_);
        if (standing_.erase({std::string(id), std::string(subject)}) == 0) return;
        counters_.set("postern_alarm", labels({{"alarm", id}, {"subject", subject}}), 0);
    }
    log_.info(id, std::string("alarm ended ") + std::string(subject));
}

std::vector<Alarm> Alarms::standing() const {
    std::lock_guard lock(mutex_);
    std::vector<Alarm> all;
    for (const auto& [key, text] : standing_) all.push_back({key.first, key.second, text});
    return all;
}

}  // namespace postern
