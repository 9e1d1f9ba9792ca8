// Deciders state requirements and verdicts at connector events; observers only watch. Native plugins and Lua scripts
// are equals here: a script is one more decider.
//
// A decider that throws, drops its question or misses its deadline is answered 451 4.3.0 for that transaction. It can
// add to what the core's floor demands; nothing it returns lowers the floor (spec: "The floor, and who may move it").
#pragma once

#include <postern/event.hpp>
#include <postern/pending.hpp>

namespace postern {

class Decider {
public:
    static constexpr std::string_view id = "postern.decider.1";  // several, by name
    virtual ~Decider() = default;
    // Asked once, when it is provided: the events at which decide() is called.
    virtual std::vector<Event> events() const = 0;
    // Provided inline: called on the session's worker with its own views, and must not block; what takes time is
    // answered later through the Pending. Provided on the lane: called there with a copy, and may block. An answer that
    // its event does not take is nonsense and fails closed.
    virtual Pending<Decision> decide(const Question&) = 0;
};

// ---- observers ------------------------------------------------------------------------------------------------------

enum class ProtocolEvent : std::uint8_t {
    connected = '+',
    disconnected = '-',
    sent = '>',
    received = '<',
    information = '*',
};

// One record of the protocol log, already stripped of secrets, not yet escaped.
struct ProtocolRecord {
    Time time{};
    bool outbound = false;
    std::string connector;
    std::string session;
    std::uint32_t sequence = 0;
    std::string local, remote;  // "192.0.2.1:25"
    ProtocolEvent event = ProtocolEvent::information;
    std::string data;
    std::string context;
};

class ProtocolObserver {
public:
    static constexpr std::string_view id = "postern.protocol-observer.1";  // several, by name; on a lane
    virtual ~ProtocolObserver() = default;
    // Batches in order within a session. What the lane's bounded queue cannot take is dropped and counted.
    virtual void protocol(const std::vector<ProtocolRecord>&) = 0;
};

// An event after it was decided, copied: nothing waits for who watches.
struct Detail {
    std::string name, value;
};
struct Occurrence {
    Event event;
    Time time{};
    bool outbound = false;
    std::string session, connector, remote_address, helo;  // empty where there is no session
    std::string sender;
    std::vector<std::string> recipients;
    std::string domain, partner;
    std::vector<Detail> details;
    Verdict verdict;  // the strictest of all deciders; proceed where the event takes none
};

class Observer {
public:
    static constexpr std::string_view id = "postern.observer.1";  // several, by name; on a lane
    virtual ~Observer() = default;
    virtual std::vector<Event> events() const = 0;  // asked once, when it is provided
    virtual void saw(const Occurrence&) = 0;  // in order within a session; dropped and counted when the lane is full
};

}  // namespace postern
