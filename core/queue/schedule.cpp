#include <algorithm>
#include <queue/schedule.hpp>
#include <tuple>

namespace postern::queue {

namespace {

// New mail for a destination that is put off is worth another try after this long.
constexpr std::uint32_t probe_after = 5;
constexpr std::size_t most_remembered = 10000;
constexpr std::uint32_t last_version = 0xffffff;

std::uint32_t seconds(Time time) {
    const auto count = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
    return static_cast<std::uint32_t>(std::clamp<long long>(count, 0, 0xfffffffell));
}
Time time_of(std::uint32_t count) { return Time(std::chrono::seconds(count)); }

std::size_t hash_of(std::size_t seed, const std::string& text) {
    return seed * 0x9e3779b97f4a7c15u + std::hash<std::string>()(text);
}

}  // namespace

std::size_t Schedule::WayHash::operator()(const Waiting::Due& way) const {
    return hash_of(hash_of(hash_of(0, way.domain), way.requirement), way.route);
}

bool Schedule::SameWay::operator()(const Waiting::Due& one, const Waiting::Due& other) const {
    return std::tie(one.domain, one.requirement, one.route) == std::tie(other.domain, other.requirement, other.route);
}

std::size_t Schedule::DestinationHash::operator()(const Destination& destination) const {
    return hash_of(hash_of(hash_of(0, destination.domain), destination.requirement), destination.route);
}

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
    // A destination that fails, or has a rate, is remembered as long as that means something.
    const bool worth = (lane.failures > 0 || lane.paced_until > 0) && lanes_.size() < most_remembered;
    if (lane.ways.empty() && lane.in_flight == 0 && !worth) lanes_.erase(Destination(lane.destination));
}

void Schedule::let_go(Way& way) {
    if (way.entries > 0) --way.entries;
    if (way.entries > 0 || top(way)) return;
    leave(way);
    ways_.erase(ways_.find(way.key));
}

void Schedule::push(Way& way, const MessageKey& key, std::uint32_t due, std::uint32_t version) {
    way.heap.push_back({key.high, due, key.low & 0xff, version & last_version});
    std::push_heap(way.heap.begin(), way.heap.end());
}

void Schedule::push(Entry& entry, const MessageKey& key, Message& message, std::uint32_t due) {
    entry.version = message.items == 0 ? 0 : message.versions = message.versions % last_version + 1;
    entry.due = due;
    ++message.items;
    push(*entry.way, key, due, entry.version);
}

bool Schedule::counts(const Item& item, const Way& way) const {
    const auto found = messages_.find(item.key());
    if (found == messages_.end()) return item.version == 0;
    const auto& message = found->second;
    return !message.gone && !message.held && std::ranges::any_of(message.entries, [&](const Entry& entry) {
        return entry.way == &way && entry.version == item.version && entry.due != no_item && !entry.claim;
    });
}

void Schedule::pop(Way& way) {
    const auto key = way.heap.front().key();
    std::pop_heap(way.heap.begin(), way.heap.end());
    way.heap.pop_back();
    const auto found = messages_.find(key);
    if (found == messages_.end()) return;
    auto& message = found->second;
    if (message.items > 0) --message.items;
    if (message.gone && message.items == 0) messages_.erase(found);
}

// The earliest that still counts; others are dropped on the way.
const Schedule::Item* Schedule::top(Way& way) {
    while (!way.heap.empty()) {
        if (counts(way.heap.front(), way)) return &way.heap.front();
        pop(way);
    }
    if (way.heap.capacity() > 1024) way.heap.shrink_to_fit();
    return nullptr;
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

void Schedule::add(const MessageKey& key, const Waiting& waiting, Time now) {
    ++count_;
    if (!waiting.held && waiting.due.size() != 1) return take_over(key, messages_[key], waiting, now);
    for (const auto& due : waiting.due) {
        auto& way = way_for(due);
        ++way.entries;
        if (waiting.held) continue;
        push(way, key, seconds(due.next_attempt), 0);
        probe_for(way, due.next_attempt, now);
    }
}

void Schedule::adopt(const MessageKey& key, const Waiting& waiting) {
    if (tracks(key)) return;
    auto& message = messages_[key];
    message.held = waiting.held;
    for (const auto& due : waiting.due) {
        message.entries.push_back({&way_for(due), waiting.held ? no_item : seconds(due.next_attempt)});
        message.items += waiting.held ? 0 : 1;
    }
}

// Ways that it no longer has stay until drop_ways_gone(): one in flight is let go of when it comes back.
void Schedule::take_over(const MessageKey& key, Message& message, const Waiting& waiting, Time now) {
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
        if (message.held) entry->due = no_item;
        else if (!entry->claim && entry->due != seconds(due.next_attempt))
            push(*entry, key, message, seconds(due.next_attempt));
        probe_for(way, due.next_attempt, now);
    }
}

void Schedule::drop_ways_gone(Message& message) {
    std::vector<Way*> gone;
    std::erase_if(message.entries, [&](const Entry& entry) {
        if (entry.there || entry.claim) return false;
        gone.push_back(entry.way);
        return true;
    });
    for (auto* way : gone) let_go(*way);
}

void Schedule::stop_tracking_if_plain(Messages::iterator at) {
    const auto& message = at->second;
    if (std::ranges::any_of(message.entries, [](const Entry& one) { return one.claim || !one.there; })) return;
    const bool rests = message.held && message.items == 0;
    const bool waits = !message.held && message.items == 1 && message.entries.size() == 1 &&
                       message.entries.front().version == 0 && message.entries.front().due != no_item;
    if (rests || waits) messages_.erase(at);
}

void Schedule::put(const MessageKey& key, const Waiting& waiting, Time now) {
    const auto found = messages_.find(key);
    if (found == messages_.end() || found->second.gone) return;
    take_over(key, found->second, waiting, now);
    drop_ways_gone(found->second);
    stop_tracking_if_plain(found);
}

void Schedule::erase(const MessageKey& key) {
    const auto found = messages_.find(key);
    if (found == messages_.end() || found->second.gone) return;
    --count_;
    const auto entries = std::move(found->second.entries);
    found->second.gone = true;
    if (found->second.items == 0) messages_.erase(found);
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

std::optional<Schedule::Claim> Schedule::take(Lane& lane, Time now) {
    Way* first = nullptr;
    for (auto* way : lane.ways) {
        const auto* item = top(*way);
        if (!item || item->due > seconds(now)) continue;
        if (!first || first->heap.front() < *item) first = way;
    }
    if (!first) return std::nullopt;
    const Claim claim{first->heap.front().key(), ++claims_};
    auto& message = messages_[claim.key];
    if (message.entries.empty()) {  // not tracked until now
        message.items = 1;
        message.entries.push_back({first});
    }
    pop(*first);
    // Whatever else of it goes there travels along.
    for (auto& entry : message.entries)
        if (entry.way->lane == &lane && !entry.claim) {
            entry.claim = claim.number;
            entry.due = no_item;
            ++lane.in_flight;
        }
    settle_lane(lane);
    return claim;
}

// As even as whole seconds allow.
void Schedule::begin_pace(Lane& lane, Time now, std::size_t rate) {
    lane.left = std::max<std::size_t>(1, rate / 60);
    lane.paced_until = seconds(now) + (rate < 60 ? static_cast<std::uint32_t>(60 / rate) : 1);
}

std::optional<Schedule::Claim> Schedule::claim(const Destination& destination, Time now, std::size_t rate) {
    const auto found = lanes_.find(destination);
    if (found == lanes_.end()) return std::nullopt;
    auto& lane = *found->second;
    if (lane.put_off_until > seconds(now) || (lane.failures > 0 && lane.in_flight > 0)) return std::nullopt;
    if (rate == 0) lane.paced_until = 0;
    else if (lane.paced_until <= seconds(now)) begin_pace(lane, now, rate);
    else if (lane.left == 0) return std::nullopt;
    auto claim = take(lane, now);
    if (claim && rate > 0 && --lane.left == 0) settle_lane(lane);
    return claim;
}

std::optional<Schedule::Claim> Schedule::claim_anyway(const Destination& destination, Time now) {
    const auto found = lanes_.find(destination);
    return found == lanes_.end() ? std::nullopt : take(*found->second, now);
}

std::optional<Schedule::Claim> Schedule::claim_all(const MessageKey& key) {
    if (!tracks(key) || in_flight(key)) return std::nullopt;
    const Claim claim{key, ++claims_};
    for (auto& entry : messages_.at(key).entries) {
        entry.claim = claim.number;
        entry.due = no_item;
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

// The ways that were in flight under it; their lanes are still to be settled.
std::vector<Schedule::Way*> Schedule::come_back(Message& message, const Claim& claim) {
    std::vector<Way*> back;
    for (auto& entry : message.entries) {
        if (entry.claim != claim.number) continue;
        entry.claim = 0;
        --entry.way->lane->in_flight;
        back.push_back(entry.way);
    }
    return back;
}

void Schedule::unclaim(const Claim& claim, Time now) {
    const auto found = messages_.find(claim.key);
    if (found == messages_.end() || found->second.gone) return;
    auto& message = found->second;
    const auto back = come_back(message, claim);
    for (auto& entry : message.entries)
        if (entry.there && !entry.claim && !message.held && entry.due == no_item)
            push(entry, claim.key, message, seconds(now));
    for (const auto* way : back) settle_lane(*way->lane);
    drop_ways_gone(message);
    stop_tracking_if_plain(found);
}

void Schedule::settle(const Claim& claim, const Waiting& waiting, Time now) {
    const auto found = messages_.find(claim.key);
    if (found == messages_.end() || found->second.gone) return;
    const auto back = come_back(found->second, claim);
    take_over(claim.key, found->second, waiting, now);
    for (const auto* way : back) settle_lane(*way->lane);
    drop_ways_gone(found->second);
    stop_tracking_if_plain(found);
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

bool Schedule::tracks(const MessageKey& key) const {
    const auto found = messages_.find(key);
    return found != messages_.end() && !found->second.gone;
}

bool Schedule::in_flight(const MessageKey& key) const {
    const auto found = messages_.find(key);
    return found != messages_.end() &&
           std::ranges::any_of(found->second.entries, [](const Entry& entry) { return entry.claim != 0; });
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
