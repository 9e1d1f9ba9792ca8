// Who is tried when: a heap of due destinations, below each the messages that wait for it. What it costs does not grow
// with what waits elsewhere. Keeps of a message its id, its ways and its next attempt; knows no spool, no network, no
// thread: queue.cpp holds its lock.
//
// A *way* is what a recipient was queued with (domain, requirement, connector); a *destination* is where ways lead
// under the configuration in force. A reload leads ways elsewhere and touches no message.
#pragma once

#include <compare>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue/message_id.hpp>
#include <queue/spool.hpp>
#include <set>
#include <string>
#include <tuple>
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

    // A message, or what is left of one: replaces what was known of it. Its ways in flight stay so.
    void put(const MessageKey& key, const Waiting& waiting, Time now);
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
    // The next message for that destination; all its ways there are in flight from now on.
    std::optional<Claim> claim(const Destination& destination, Time now);
    // The same of a destination that is put off: messages received before that are due, to be told that they wait.
    std::optional<Claim> claim_older(const Destination& destination, Time now, Time received_before);
    // All of one message, held or not; nothing where some of it is in flight.
    std::optional<Claim> claim_all(const MessageKey& key);
    // An administrator wants it tried: destinations that it waits for are no longer put off.
    void allow(const MessageKey& key, Time now);
    // Due again now; put() then says otherwise.
    void unclaim(const Claim& claim, Time now);
    bool leads_to(const Waiting::Due& way, const Destination& destination) const;

    // Circuit breaking: nothing is tried there until then, and then one message alone, until one of them gets through.
    void put_off(const Destination& destination, std::function<Time(unsigned failures)> until, std::string why,
                 Time now);
    void works(const Destination& destination);

    // Everything is due now; ways are led anew.
    void all_due(Time now);
    void reroute(Time now);

    std::size_t size() const { return messages_.size(); }
    bool contains(const MessageKey& key) const { return messages_.contains(key); }
    bool in_flight(const MessageKey& key) const;
    bool held(const MessageKey& key) const;
    std::vector<MessageKey> keys() const;  // the oldest first

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
    struct Entry {
        Way* way = nullptr;
        std::uint32_t version = 0;  // of the one item in the heap that counts
        std::uint64_t claim = 0;    // in flight under that number
        bool there = false;
    };
    struct Message {
        std::uint32_t received = 0;
        bool held = false;
        std::vector<Entry> entries;
    };
    struct Item {
        std::uint32_t due = 0, version = 0;
        MessageKey key;
        bool operator<(const Item& other) const {  // for heaps whose top is the earliest
            return due != other.due ? due > other.due : key > other.key;
        }
    };
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
        std::string why;
        std::optional<std::uint32_t> woken_at;  // its place in wake_
    };
    // Ordered by what it was queued with; looked up without a copy.
    struct WayOrder {
        bool operator()(const Waiting::Due& one, const Waiting::Due& other) const {
            return std::tie(one.domain, one.requirement, one.route) <
                   std::tie(other.domain, other.requirement, other.route);
        }
    };

    Way& way_for(const Waiting::Due& due);
    void lead(Way& way);
    void leave(Way& way);
    void push(Way& way, Item item);
    Entry* current(const Item& item, const Way& way);
    const Item* top(Way& way);
    void settle_lane(Lane& lane);
    void let_go(Way& way);
    std::optional<Claim> take(Lane& lane, Time now, std::uint32_t received_before);

    Route route_;
    std::unordered_map<MessageKey, Message, MessageKeyHash> messages_;
    std::map<Waiting::Due, std::unique_ptr<Way>, WayOrder> ways_;
    std::map<Destination, std::unique_ptr<Lane>> lanes_;
    std::set<std::pair<std::uint32_t, Lane*>> wake_;
    std::uint32_t versions_ = 0;
    std::uint64_t claims_ = 0;
};

}  // namespace postern::queue
