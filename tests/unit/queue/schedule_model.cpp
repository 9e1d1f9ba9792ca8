// The schedule against the plainest model of it: every message with its ways in a map, searched from end to end. Random
// lives of messages; after each step both must give the same one.
#include <catch2/catch.hpp>
#include <map>
#include <queue/schedule.hpp>
#include <random>

using namespace postern;
using namespace postern::queue;

namespace {

const Time begin = Time(std::chrono::seconds(1'700'000'000));
const std::string domains[] = {"a.example", "b.example", "c.example"};

struct Model {
    struct Message {
        bool held = false;
        std::map<std::string, Time> ways;
        std::map<std::string, std::uint64_t> claimed;
    };
    std::map<MessageKey, Message> messages;

    Waiting waiting(const MessageKey& key) const {
        const auto& one = messages.at(key);
        Waiting all{id_of(key), begin, one.held, {}};
        for (const auto& [domain, due] : one.ways) all.due.push_back({domain, "", "", due});
        return all;
    }
    std::optional<MessageKey> next(const std::string& domain, Time now) const {
        std::optional<std::pair<Time, MessageKey>> best;
        for (const auto& [key, one] : messages) {
            const auto way = one.ways.find(domain);
            if (one.held || way == one.ways.end() || one.claimed.contains(domain) || way->second > now) continue;
            if (!best || std::pair(way->second, key) < *best) best = {way->second, key};
        }
        return best ? std::optional(best->second) : std::nullopt;
    }
};

}  // namespace

TEST_CASE("whatever happens to its messages, the schedule gives what a plain search would give", "[schedule]") {
    const auto seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u);
    std::mt19937 random(seed);
    const auto pick = [&](std::size_t count) { return static_cast<std::size_t>(random() % count); };
    Schedule schedule([](const Waiting::Due& due) { return Destination{"smtp:I", due.domain, ""}; });
    Model model;
    struct Flight {
        Schedule::Claim claim;
        std::string domain;
    };
    std::vector<Flight> flights;
    std::uint64_t last = 0;
    auto now = begin;
    const auto some_time = [&] { return now + std::chrono::seconds(pick(8)); };
    for (int step = 0; step < 20000; ++step) {
        const auto what = pick(10);
        now += std::chrono::seconds(pick(2));
        if (what < 3 && model.messages.size() < 60) {
            const MessageKey key{++last, static_cast<std::uint32_t>(pick(256))};
            auto& one = model.messages[key];
            one.held = pick(12) == 0;
            for (auto ways = 1 + (pick(4) == 0 ? pick(3) : 0); ways > 0; --ways)
                one.ways[domains[pick(3)]] = some_time();
            schedule.add(key, model.waiting(key), now);
        } else if (what < 7) {
            const auto& domain = domains[pick(3)];
            const auto expected = model.next(domain, now);
            const auto claim = schedule.claim({"smtp:I", domain, ""}, now);
            REQUIRE(claim.has_value() == expected.has_value());
            if (!claim) continue;
            REQUIRE(claim->key == *expected);
            model.messages[claim->key].claimed[domain] = claim->number;
            flights.push_back({*claim, domain});
        } else if (what < 9 && !flights.empty()) {
            const auto at = pick(flights.size());
            const auto flight = flights[at];
            flights.erase(flights.begin() + static_cast<std::ptrdiff_t>(at));
            auto& one = model.messages[flight.claim.key];
            one.claimed.erase(flight.domain);
            if (pick(4) == 0) {
                one.ways[flight.domain] = now;
                schedule.unclaim(flight.claim, now);
                continue;
            }
            if (pick(2) == 0) one.ways.erase(flight.domain);
            else one.ways[flight.domain] = some_time();
            if (!one.ways.empty()) {
                schedule.settle(flight.claim, model.waiting(flight.claim.key), now);
                continue;
            }
            schedule.erase(flight.claim.key);
            model.messages.erase(flight.claim.key);
        } else if (!model.messages.empty()) {
            auto at = std::next(model.messages.begin(), static_cast<std::ptrdiff_t>(pick(model.messages.size())));
            if (!at->second.claimed.empty()) continue;
            schedule.adopt(at->first, model.waiting(at->first));
            if (pick(3) == 0) {
                REQUIRE(schedule.claim_all(at->first));
                schedule.erase(at->first);
                model.messages.erase(at);
                continue;
            }
            at->second.held = pick(4) == 0;
            if (pick(2) == 0)
                for (auto& [domain, due] : at->second.ways) due = some_time();
            schedule.put(at->first, model.waiting(at->first), now);
        }
        REQUIRE(schedule.size() == model.messages.size());
    }
    // Drained, it holds on to nothing.
    for (const auto& [key, one] : model.messages) {
        schedule.adopt(key, model.waiting(key));
        schedule.erase(key);
    }
    for (const auto& domain : domains) CHECK_FALSE(schedule.claim({"smtp:I", domain, ""}, now + std::chrono::hours(1)));
    CHECK(schedule.size() == 0);
    CHECK(schedule.destinations().empty());
}
