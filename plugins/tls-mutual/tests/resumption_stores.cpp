// What is kept for sessions to come: how long, how much.
#include <catch2/catch.hpp>
#include <tls-mutual/earlier_sessions.hpp>
#include <tls-mutual/ticket_keys.hpp>

using namespace postern::tls_mutual;
using namespace std::chrono_literals;

namespace {

const TicketKeys::Instant start{1000h};

EarlierSession session(TicketKeys::Instant proven, bool single_use = true, std::size_t octets = 100) {
    EarlierSession one;
    one.octets.bytes.assign(octets, 7);
    one.proven = proven;
    one.single_use = single_use;
    return one;
}

}  // namespace

TEST_CASE("a scope has one ticket key, for an hour", "[tls-mutual]") {
    TicketKeys keys;
    const auto first = keys.key("Inet 1", start);
    REQUIRE(first);
    CHECK(first->bytes.size() == 64);
    CHECK(keys.key("Inet 1", start + 59min) == first);
    CHECK(keys.key("Inet 2", start)->bytes != first->bytes);
    const auto next = keys.key("Inet 1", start + 60min);
    CHECK(next->bytes != first->bytes);
    CHECK(keys.key("Inet 1", start + 61min) == next);
    CHECK(keys.size() == 2);
}

TEST_CASE("ticket keys go when their hour is over or too many are there, the oldest first", "[tls-mutual]") {
    TicketKeys keys;
    const auto oldest = keys.key("0", start);
    for (std::size_t i = 1; i < TicketKeys::most; ++i) keys.key(std::to_string(i), start + 1min);
    CHECK(keys.size() == TicketKeys::most);
    keys.key("another", start + 2min);
    CHECK(keys.size() == TicketKeys::most);
    CHECK(keys.key("0", start + 2min) != oldest);
    keys.sweep(start + 61min);
    CHECK(keys.size() == 2);
    keys.sweep(start + 62min);
    CHECK(keys.size() == 0);
}

TEST_CASE("an earlier session is taken once, the newest first, within an hour of its handshake", "[tls-mutual]") {
    EarlierSessions sessions;
    CHECK_FALSE(sessions.take("a", start));
    sessions.keep("a", session(start), start);
    sessions.keep("a", session(start + 1min), start + 1min);
    CHECK(sessions.take("a", start + 2min)->proven == start + 1min);
    CHECK(sessions.take("a", start + 59min)->proven == start);
    CHECK_FALSE(sessions.take("a", start + 59min));
    sessions.keep("a", session(start), start + 59min);
    CHECK_FALSE(sessions.take("a", start + 60min));
    CHECK(sessions.size() == 0);
    sessions.keep("a", session(start), start + 60min);
    CHECK(sessions.size() == 0);
}

TEST_CASE("an earlier session that may be used again is there until a newer one takes its place", "[tls-mutual]") {
    EarlierSessions sessions;
    sessions.keep("a", session(start, false), start);
    for (int i = 0; i < 3; ++i) CHECK(sessions.take("a", start));
    sessions.keep("a", session(start + 1min, false), start + 1min);
    CHECK(sessions.size() == 1);
    CHECK(sessions.take("a", start + 1min)->proven == start + 1min);
    sessions.keep("a", session(start + 2min), start + 2min);
    CHECK(sessions.size() == 1);
    CHECK(sessions.take("a", start + 2min)->single_use);
    CHECK(sessions.size() == 0);
}

TEST_CASE("earlier sessions are bounded in octets, for one key and in all", "[tls-mutual]") {
    EarlierSessions sessions;
    sessions.keep("a", session(start, true, EarlierSessions::most_octets + 1), start);
    sessions.keep("a", session(start, true, 0), start);
    CHECK(sessions.size() == 0);
    for (std::size_t i = 0; i < 2 * EarlierSessions::most_of_a_key; ++i) sessions.keep("a", session(start), start);
    CHECK(sessions.size() == EarlierSessions::most_of_a_key);
    for (std::size_t i = 0; i < 2 * EarlierSessions::most; ++i)
        sessions.keep("key " + std::to_string(i), session(start + 1min), start + 1min);
    CHECK(sessions.size() == EarlierSessions::most);
    CHECK_FALSE(sessions.take("a", start + 1min));
    sessions.sweep(start + 61min);
    CHECK(sessions.size() == 0);
}

TEST_CASE("what begins alike is forgotten together", "[tls-mutual]") {
    EarlierSessions sessions;
    for (const auto* key : {"a", "ab", "abc", "b"}) sessions.keep(key, session(start), start);
    sessions.forget("ab");
    CHECK(sessions.size() == 2);
    CHECK(sessions.take("a", start));
    CHECK(sessions.take("b", start));
}
