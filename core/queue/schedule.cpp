// Messages: which wait, which are tracked, and the claims by which they are tried and come back.
#include <algorithm>
#include <queue/schedule.hpp>

namespace postern::queue {

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

bool Schedule::tracks(const MessageKey& key) const {
    const auto found = messages_.find(key);
    return found != messages_.end() && !found->second.gone;
}

bool Schedule::in_flight(const MessageKey& key) const {
    const auto found = messages_.find(key);
    return found != messages_.end() &&
           std::ranges::any_of(found->second.entries, [](const Entry& entry) { return entry.claim != 0; });
}

}  // namespace postern::queue
