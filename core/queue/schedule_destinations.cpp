// Destinations: where ways lead under the configuration in force, when each wants to be looked at, how fast it may be
// given messages, and what happens to one that fails.
#include <algorithm>
#include <queue/schedule.hpp>

namespace postern::queue {

// New mail for a destination that is put off is worth another try after this long.
static constexpr std::uint32_t probe_after = 5;
static constexpr std::size_t most_remembered = 10000;

static Time time_of(std::uint32_t count) { return Time(std::chrono::seconds(count)); }

std::uint32_t Schedule::seconds(Time time) {
    const auto count = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
    return static_cast<std::uint32_t>(std::clamp<long long>(count, 0, 0xfffffffell));
}

void Schedule::lead(Way& way) {
    auto destination = route_(way.key);
    auto& lane = lanes_[destination];
    if (!lane) {
        lane = std::make_unique<Lane>();
        lane->destination = std::move(destination);
    }
    way.lane = lane.get();
    lane->ways.push_back(&way);
}

void Schedule::leave(Way& way) {
    auto& lane = *way.lane;
    std::erase(lane.ways, &way);
    settle_lane(lane);
    // A destination that fails, or has a rate, is remembered as long as that means something.
    const bool worth = (lane.failures > 0 || lane.paced_until > 0) && lanes_.size() < most_remembered;
    if (lane.ways.empty() && lane.in_flight == 0 && !worth) lanes_.erase(Destination(lane.destination));
}

void Schedule::settle_lane(Lane& lane) {
    std::optional<std::uint32_t> at;
    for (auto* way : lane.ways)
        if (const auto* item = top(*way)) at = std::min(at.value_or(item->due), item->due);
    if (at) at = std::max(*at, lane.put_off_until);
    if (at && lane.left == 0) at = std::max(*at, lane.paced_until);
    if (at && lane.failures > 0 && lane.in_flight > 0) at.reset();  // one is out to see whether it works again
    if (at == lane.woken_at) return;
    if (lane.woken_at) wake_.erase({*lane.woken_at, &lane});
    lane.woken_at = at;
    if (at) wake_.insert({*at, &lane});
}

void Schedule::probe_for(Way& way, Time due, Time now) {
    auto& lane = *way.lane;
    if (lane.failures > 0 && due <= now)
        lane.put_off_until = std::min(lane.put_off_until, lane.failed_at + probe_after);
    settle_lane(lane);
}

void Schedule::due(Time now, const std::function<bool(const Destination&, std::size_t)>& call) const {
    const auto until = seconds(now);
    for (const auto& [at, lane] : wake_) {
        if (at > until) return;
        std::size_t waiting = 0;
        for (const auto* way : lane->ways) waiting += way->heap.size();
        if (!call(lane->destination, lane->failures > 0 ? 1 : waiting)) return;
    }
}

std::optional<Time> Schedule::next_due(Time now) const {
    const auto next = wake_.lower_bound({seconds(now) + 1, nullptr});
    return next == wake_.end() ? std::nullopt : std::optional(time_of(next->first));
}

// As even as whole seconds allow.
void Schedule::begin_pace(Lane& lane, Time now, std::size_t rate) {
    lane.left = std::max<std::size_t>(1, rate / 60);
    lane.paced_until = seconds(now) + (rate < 60 ? static_cast<std::uint32_t>(60 / rate) : 1);
}

bool Schedule::leads_to(const Waiting::Due& due, const Destination& destination) const {
    const auto found = ways_.find(due);
    return found != ways_.end() && found->second->lane->destination == destination;
}

void Schedule::put_off(const Destination& destination, std::function<Time(unsigned failures)> until, std::string why,
                       Time now) {
    const auto found = lanes_.find(destination);
    if (found == lanes_.end()) return;
    auto& lane = *found->second;
    lane.why = std::move(why);
    lane.failed_at = seconds(now);
    lane.put_off_until = seconds(until(++lane.failures));
    settle_lane(lane);
}

void Schedule::works(const Destination& destination) {
    const auto found = lanes_.find(destination);
    if (found == lanes_.end() || found->second->failures == 0) return;
    auto& lane = *found->second;
    lane.failures = 0;
    lane.put_off_until = 0;
    lane.why.clear();
    settle_lane(lane);
}

void Schedule::all_due(Time now) {
    const auto at = seconds(now);
    for (auto& [key, way] : ways_) {
        // Lowering all to the same leaves ties alone to be put in order.
        for (auto& item : way->heap) item.due = std::min(item.due, at);
        std::make_heap(way->heap.begin(), way->heap.end());
    }
    for (auto& [destination, lane] : lanes_) {
        lane->put_off_until = std::min(lane->put_off_until, at);
        settle_lane(*lane);
    }
}

void Schedule::reroute(Time now) {
    std::unordered_map<const Way*, std::size_t> out;  // they come back to where their way leads then
    for (const auto& [key, message] : messages_)
        for (const auto& entry : message.entries)
            if (entry.claim) ++out[entry.way];
    for (auto& [key, way] : ways_) {
        auto& before = *way->lane;
        if (route_(way->key) == before.destination) continue;
        before.in_flight -= out[way.get()];
        leave(*way);
        lead(*way);
        way->lane->in_flight += out[way.get()];
    }
    all_due(now);
}

std::vector<Schedule::DestinationState> Schedule::destinations() const {
    std::vector<DestinationState> all;
    for (const auto& [destination, lane] : lanes_) {
        DestinationState state{destination, 0, lane->in_flight, std::nullopt, lane->why};
        for (const auto* way : lane->ways) state.waiting += way->entries;
        if (lane->failures > 0) state.put_off_until = time_of(lane->put_off_until);
        all.push_back(std::move(state));
    }
    std::ranges::sort(all, {}, &DestinationState::destination);
    return all;
}

}  // namespace postern::queue
