// Who is tried when: a heap of due destinations, below each the messages that wait for it. What it costs does not grow
// with what waits elsewhere. Knows no spool, no network, no thread: queue.cpp holds its lock. schedule.cpp is about
// messages, schedule_ways.cpp about the heaps, schedule_destinations.cpp about when a destination may have one of them.
//
// A *way* is what a recipient was queued with (domain, requirement, connector); a *destination* is where ways lead
// under the configuration in force. A reload leads ways elsewhere and touches no message.
//
// Of a message that merely waits for one way nothing is kept but its item in that way's heap: 16 octets, of a million
// 16 MB. *Tracked* are those alone of which there is more to say: in flight, of several ways, or changed by hand while
// an older item of theirs is still in a heap.
#pragma once

#include <compare>
#include <functional>
#include <memory>
#include <optional>
#include <queue/message_id.hpp>
#include <queue/spool.hpp>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace postern::queue {

// Where mail for one recipient goes: what shares a connection and a schedule.
struct Destination {
    std::string route;        // "smtp:CONNECTOR" or "deliver:PROVIDER"
    std::string domain;       // recipient domain
    std::string requirement;  // the strictest of what was stored and what holds now; "" = opportunistic
    auto operator<=>(const Destination&) const = default;
};

class Schedule {
public:
    using Route = std::function<Destination(const Waiting::Due&)>;
    explicit Schedule(Route route) : route_(std::move(route)) {}

    // A message that came in, or was found at start. Once each.
    void add(const MessageKey& key, const Waiting& waiting, Time now);
    // One that waits is about to be changed: tracked from here on. `waiting`: as it was.
    void adopt(const MessageKey& key, const Waiting& waiting);
    // What is left of a tracked one: replaces what was known of it. Its ways in flight stay so.
    void put(const MessageKey& key, const Waiting& waiting, Time now);
    // It is gone; tracked until now.
    void erase(const MessageKey& key);

    // Due destinations with room for another connection, the longest due first, until `call` says false. The second
    // word: how much waits there at most.
    void due(Time now, const std::function<bool(const Destination&, std::size_t)>& call) const;
    // When the next destination becomes due that is not yet.
    std::optional<Time> next_due(Time now) const;

    struct Claim {
        MessageKey key;
        std::uint64_t number = 0;
    };
    // The next message for that destination; all its ways there are in flight from now on. `rate`: messages a minute,
    // 0 without limit; what exceeds it is due later.
    std::optional<Claim> claim(const Destination& destination, Time now, std::size_t rate = 0);
    // The same although the destination is put off.
    std::optional<Claim> claim_anyway(const Destination& destination, Time now);
    // All of a tracked message, held or not; nothing where some of it is in flight.
    std::optional<Claim> claim_all(const MessageKey& key);
    // An administrator wants it tried: destinations that a tracked one waits for are no longer put off.
    void allow(const MessageKey& key, Time now);
    // As if it had not been claimed, due now.
    void unclaim(const Claim& claim, Time now);
    // It was tried, and this is left of it.
    void settle(const Claim& claim, const Waiting& waiting, Time now);
    bool leads_to(const Waiting::Due& way, const Destination& destination) const;

    // Circuit breaking: nothing is tried there until then, and then one message alone, until one of them gets through.
    void put_off(const Destination& destination, std::function<Time(unsigned failures)> until, std::string why,
                 Time now);
    void works(const Destination& destination);

    // Everything is due now; ways are led anew.
    void all_due(Time now);
    void reroute(Time now);

    std::size_t size() const { return count_; }
    bool tracks(const MessageKey& key) const;
    bool in_flight(const MessageKey& key) const;

    struct DestinationState {
        Destination destination;
        std::size_t waiting = 0, in_flight = 0;
        std::optional<Time> put_off_until;
        std::string why;
    };
    std::vector<DestinationState> destinations() const;

private:
    struct Way;
    struct Lane;
    static constexpr std::uint32_t no_item = 0xffffffff;
    // One way of a tracked message.
    struct Entry {
        Way* way = nullptr;
        std::uint32_t due = no_item;  // of the one item in the heap that counts
        std::uint32_t version = 0;    // of that item
        std::uint64_t claim = 0;      // in flight under that number
        bool there = true;
    };
    struct Message {
        bool held = false, gone = false;
        std::uint32_t items = 0;     // in heaps, those that no longer count among them
        std::uint32_t versions = 0;  // the last one given
        std::vector<Entry> entries;
    };
    // The one item of a message that is not tracked has version 0.
    struct Item {
        std::uint64_t high = 0;
        std::uint32_t due = 0;
        std::uint32_t low : 8 = 0, version : 24 = 0;
        MessageKey key() const { return {high, low}; }
        bool operator<(const Item& other) const {  // for heaps whose top is the earliest
            return due != other.due ? due > other.due : key() > other.key();
        }
    };
    static_assert(sizeof(Item) == 16);
    struct Way {
        Waiting::Due key;
        Lane* lane = nullptr;
        std::size_t entries = 0;
        std::vector<Item> heap;
    };
    struct Lane {
        Destination destination;
        std::vector<Way*> ways;
        std::size_t in_flight = 0;
        unsigned failures = 0;
        std::uint32_t put_off_until = 0, failed_at = 0;
        std::uint32_t paced_until = 0;  // until then `left` more, by its rate
        std::size_t left = 0;
        std::string why;
        std::optional<std::uint32_t> woken_at;  // its place in wake_
    };
    // By what it was queued with, whenever it is due; looked up without a copy.
    struct WayHash {
        std::size_t operator()(const Waiting::Due& way) const;
    };
    struct SameWay {
        bool operator()(const Waiting::Due& one, const Waiting::Due& other) const;
    };
    struct DestinationHash {
        std::size_t operator()(const Destination& destination) const;
    };
    using Messages = std::unordered_map<MessageKey, Message, MessageKeyHash>;

    static std::uint32_t seconds(Time time);
    Way& way_for(const Waiting::Due& due);
    void lead(Way& way);
    void leave(Way& way);
    void push(Way& way, const MessageKey& key, std::uint32_t due, std::uint32_t version);
    void push(Entry& entry, const MessageKey& key, Message& message, std::uint32_t due);
    bool counts(const Item& item, const Way& way) const;
    void pop(Way& way);
    const Item* top(Way& way);
    void settle_lane(Lane& lane);
    void let_go(Way& way);
    void probe_for(Way& way, Time due, Time now);
    void take_over(const MessageKey& key, Message& message, const Waiting& waiting, Time now);
    std::vector<Way*> come_back(Message& message, const Claim& claim);
    void drop_ways_gone(Message& message);
    void stop_tracking_if_plain(Messages::iterator message);
    std::optional<Claim> take(Lane& lane, Time now);
    static void begin_pace(Lane& lane, Time now, std::size_t rate);

    Route route_;
    std::size_t count_ = 0;
    Messages messages_;  // the tracked ones
    std::unordered_map<Waiting::Due, std::unique_ptr<Way>, WayHash, SameWay> ways_;
    std::unordered_map<Destination, std::unique_ptr<Lane>, DestinationHash> lanes_;
    std::set<std::pair<std::uint32_t, Lane*>> wake_;
    std::uint64_t claims_ = 0;
};

}  // namespace postern::queue
