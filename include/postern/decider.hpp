// Deciders state requirements and verdicts at connector events; observers only watch. Native plugins and Lua scripts
// are equals here: a script is one more decider.
//
// A decider that throws, drops its question or misses its deadline is answered 451 4.3.0 for that transaction. It can
// add to what the core's floor demands; nothing it returns lowers the floor (spec: "The floor, and who may move it").
#pragma once

#include <postern/pending.hpp>
#include <postern/session.hpp>
#include <postern/types.hpp>

namespace postern {

enum class Event : std::uint16_t {
    mail = 1,                  // MAIL FROM was parsed
    recipient = 2,             // RCPT TO was parsed
    message_end = 3,           // the data is complete, 250 not yet said
    outbound_requirement = 4,  // what delivery to a recipient domain demands
};

// What a decider demands of the peer; empty fields demand nothing. Demands merge field by field to the strictest.
struct Demand {
    bool tls = false;
    bool mutual = false;  // with certificates both ways, judged and named
    TlsVersion minimum = TlsVersion::unknown;
    std::vector<std::string> issuers;     // RFC 4514 text of issuer names or part of it; one must occur in the path
    std::vector<std::string> names;       // one must be a name of the leaf
    Purpose purpose = Purpose::unstated;  // client: only clientAuth will do
};

struct Decision {
    Verdict verdict;
    std::optional<Demand> demand;
    bool spoke = false;  // it said something; "enforcement script" with a silent script leaves the floor standing
    bool replaces_floor = false;  // only heeded for the partner whose block says `enforcement script`
};

struct Question {
    Event event;
    const Session* session;
    const Envelope* envelope;
    std::string_view partner;  // the listed entry that the transaction's domain matched, or empty
    std::string_view domain;   // the domain in question, canonical
};

class Decider {
public:
    static constexpr std::string_view id = "postern.decider.0";  // several, by name
    virtual ~Decider() = default;
    virtual Pending<Decision> decide(const Question&) = 0;  // copy what you keep: views end with the call
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

class Observer {
public:
    static constexpr std::string_view id = "postern.observer.0";  // several, by name; on a lane unless said otherwise
    virtual ~Observer() = default;
    // Batches in order within a session. What the lane's bounded queue cannot take is dropped and counted.
    virtual void protocol(const std::vector<ProtocolRecord>&) = 0;
};

}  // namespace postern
