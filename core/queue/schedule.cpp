#include <algorithm>
#include <queue/schedule.hpp>

namespace postern::queue {

namespace {

// New mail for a destination that is put off is worth another try after this long.
constexpr std::uint32_t probe_after = 5;
constexpr std::size_t most_remembered = 10000;

std::uint32_t seconds(Time time) {
    const auto count = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
    return static_cast<std::uint32_t>(std::clamp<long long>(count, 0, 0xffffffffll));
}
Time time_of(std::uint32_t count) { return Time(std::chrono::seconds(count)); }

}  // namespace

Schedule::Way& Schedule::way_for(const Waiting::Due& due) {
    auto& way = ways_[due];
    if (!way) {
        way = std::make_unique<Way>();
        way->key = due;
        lead(*way);
    }
    return *way;
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
    // A destination that fails is remembered as long as that means something.
    const bool worth = lane.failures > 0 && lanes_.size() < most_remembered;
    if (lane.ways.empty() && lane.in_flight == 0 && !worth) lanes_.erase(Destination(lane.destination));
}

void Schedule::let_go(Way& way) {
    if (--way.entries > 0) return;
    leave(way);
    ways_.erase(Waiting::Due(way.key));
}

void Schedule::push(Way& way, Item item) {
    way.heap.push_back(item);
    std::push_heap(way.heap.begin(), way.heap.end());
}

Schedule::Entry* Schedule::current(const Item& item, const Way& way) {
    auto found = messages_.find(item.key);
    if (found == messages_.end() || found->second.held) return nullptr;
    for (auto& entry : found->second.entries)
        if (entry.way == &way && entry.version == item.version && !entry.claim) return &entry;
    return nullptr;
}

// The earliest that still counts; others are dropped on the way.
const Schedule::Item* Schedule::top(Way& way) {
    while (!way.heap.empty()) {
        if (current(way.heap.front(), way)) return &way.heap.front();
        std::pop_heap(way.heap.begin(), way.heap.end());
        way.heap.pop_back();
    }
    if (way.heap.capacity() > 1024) way.heap.shrink_to_fit();
    return nullptr;
}

void Schedule::settle_lane(Lane& lane) {
    std::optional<std::uint32_t> at;
    for (auto* way : lane.ways)
        if (const auto* item = top(*way)) at = std::min(at.value_or(item->due), item->due);
    if (at) at = std::max(*at, lane.put_off_until);
    if (at && lane.failures > 0 && lane.in_flight > 0) at.reset();  // one is out to see whether it works again
    if (at == lane.woken_at) return;
    if (lane.woken_at) wake_.erase({*lane.woken_at, &lane});
    lane.woken_at = at;
    if (at) wake_.insert({*at, &lane});
}

void Schedule::put(const MessageKey& key, const Waiting& waiting, Time now) {
    auto& message = messages_[key];
    message.received = seconds(waiting.received);
    message.held = waiting.held;
    for (auto& entry : message.entries) entry.there = false;
    for (const auto& due : waiting.due) {
        auto& way = way_for(due);
        auto entry = std::ranges::find(message.entries, &way, &Entry::way);
        if (entry == message.entries.end()) {
            ++way.entries;
            message.entries.push_back({&way});
            entry = std::prev(message.entries.end());
        }
        entry->there = true;
        entry->version = ++versions_;
        if (!message.held && !entry->claim) push(way, {seconds(due.next_attempt), entry->version, key});
        auto& lane = *way.lane;
        if (lane.failures > 0 && due.next_attempt <= now)
            lane.put_off_until = std::min(lane.put_off_until, lane.failed_at + probe_after);
        settle_lane(lane);
    }
    // Ways that it no longer has; one in flight is let go of when it comes back.
    std::vector<Way*> gone;
    std::erase_if(message.entries, [&](const Entry& entry) {
        if (entry.there || entry.claim) return false;
        gone.push_back(entry.way);
        return true;
    });
    for (auto* way : gone) let_go(*way);
}

void Schedule::erase(const MessageKey& key) {
    auto found = messages_.find(key);
    if (found == messages_.end()) return;
    const auto entries = std::move(found->second.entries);
    messages_.erase(found);
    for (const auto& entry : entries) {
        if (entry.claim) --entry.way->lane->in_flight;
        settle_lane(*entry.way->lane);
        let_go(*entry.way);
    }
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

std::optional<Schedule::Claim> Schedule::take(Lane& lane, Time now, std::uint32_t received_before) {
    Way* first = nullptr;
    for (auto* way : lane.ways) {
        const auto* item = top(*way);
        if (!item || item->due > seconds(now) || messages_.at(item->key).received >= received_before) continue;
        if (!first || first->heap.front() < *item) first = way;
    }
    if (!first) return std::nullopt;
    const Claim claim{first->heap.front().key, ++claims_};
    // Whatever else of it goes there travels along.
    for (auto& entry : messages_.at(claim.key).entries)
        if (entry.way->lane == &lane && !entry.claim) {
            entry.claim = claim.number;
            ++lane.in_flight;
        }
    settle_lane(lane);
    return claim;
}

std::optional<Schedule::Claim> Schedule::claim(const Destination& destination, Time now) {
    const auto found = lanes_.find(destination);
    if (found == lanes_.end()) return std::nullopt;
    auto& lane = *found->second;
    if (lane.put_off_until > seconds(now) || (lane.failures > 0 && lane.in_flight > 0)) return std::nullopt;
    return take(lane, now, 0xffffffff);
}

std::optional<Schedule::Claim> Schedule::claim_older(const Destination& destination, Time now, Time received_before) {
    const auto found = lanes_.find(destination);
    return found == lanes_.end() ? std::nullopt : take(*found->second, now, seconds(received_before));
}

std::optional<Schedule::Claim> Schedule::claim_all(const MessageKey& key) {
    const auto found = messages_.find(key);
    if (found == messages_.end() || in_flight(key)) return std::nullopt;
    const Claim claim{key, ++claims_};
    for (auto& entry : found->second.entries) {
        entry.claim = claim.number;
        ++entry.way->lane->in_flight;
        settle_lane(*entry.way->lane);
    }
    return claim;
}

void Schedule::allow(const MessageKey& key, Time now) {
    const auto found = messages_.find(key);
    if (found == messages_.end()) return;
    for (auto& entry : found->second.entries) {
        auto& lane = *entry.way->lane;
        lane.put_off_until = std::min(lane.put_off_until, seconds(now));
        settle_lane(lane);
    }
}

void Schedule::unclaim(const Claim& claim, Time now) {
    auto at = messages_.find(claim.key);
    if (at == messages_.end()) return;
    std::vector<Way*> gone;
    for (auto& entry : at->second.entries) {
        if (entry.claim != claim.number) continue;
        entry.claim = 0;
        --entry.way->lane->in_flight;
        if (!entry.there) gone.push_back(entry.way);
        else if (!at->second.held) push(*entry.way, {seconds(now), entry.version, claim.key});
        settle_lane(*entry.way->lane);
    }
    std::erase_if(at->second.entries, [](const Entry& entry) { return !entry.there && !entry.claim; });
    for (auto* way : gone) let_go(*way);
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
    for (auto& [key, way] : ways_) {
        auto& before = *way->lane;
        if (route_(way->key) == before.destination) continue;
        std::size_t out = 0;  // of this way: they come back to where it leads then
        for (const auto& [id, message] : messages_)
            for (const auto& entry : message.entries) out += entry.way == way.get() && entry.claim;
        before.in_flight -= out;
        leave(*way);
        lead(*way);
        way->lane->in_flight += out;
    }
    all_due(now);
}

bool Schedule::in_flight(const MessageKey& key) const {
    const auto found = messages_.find(key);
    return found != messages_.end() &&
           std::ranges::any_of(found->second.entries, [](const Entry& entry) { return entry.claim != 0; });
}

bool Schedule::held(const MessageKey& key) const {
    const auto found = messages_.find(key);
    return found != messages_.end() && found->second.held;
}

std::vector<MessageKey> Schedule::keys() const {
    std::vector<MessageKey> keys;
    keys.reserve(messages_.size());
    for (const auto& [key, message] : messages_) keys.push_back(key);
    std::ranges::sort(keys);
    return keys;
}

std::vector<Schedule::DestinationState> Schedule::destinations() const {
    std::vector<DestinationState> all;
    for (const auto& [destination, lane] : lanes_) {
        DestinationState state{destination, 0, lane->in_flight, std::nullopt, lane->why};
        for (const auto* way : lane->ways) state.waiting += way->entries;
        if (lane->failures > 0) state.put_off_until = time_of(lane->put_off_until);
        all.push_back(std::move(state));
    }
    return all;
}

}  // namespace postern::queue
