// The events of connectors, queue and daemon at which deciders are asked and observers told, and what a decider may
// answer. One table in the host (core/policy/events.cpp; docs/events.md is printed from it) says for each event when it
// comes, which details it has, which answers it takes and what a failure means. Lua scripts use the same names.
#pragma once

#include <postern/session.hpp>
#include <postern/types.hpp>

namespace postern {

enum class Event : std::uint16_t {
    mail = 1,                  // MAIL FROM was parsed
    recipient = 2,             // RCPT TO was parsed
    message_end = 3,           // the data is complete, 250 not yet said
    outbound_requirement = 4,  // what delivery to a recipient domain demands

    start = 10,
    stop = 11,
    config_validate = 12,  // a configuration is read and not yet taken
    config_reloaded = 13,
    timer = 14,  // once a minute

    connection = 20,
    ehlo = 21,
    starttls = 22,
    client_hello = 23,
    tls_established = 24,
    tls_failed = 25,
    peer_judged = 26,
    auth = 27,
    data_start = 28,
    header_end = 29,
    queued = 30,
    disconnect = 31,
    partner_certificate = 32,  // since 1.1

    route = 40,
    outbound_connect = 41,
    outbound_ehlo = 42,
    delivery_result = 43,
    notice = 44,
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

// What else an answer may do. Which kinds an event takes stands in the table; any other, or one that cannot be carried
// out, is nonsense and fails closed.
enum class EffectKind : std::uint16_t {
    hide_extension = 1,       // ehlo. name: the keyword
    add_extension = 2,        // ehlo. name: a keyword that the server has no use for itself; value: its parameters
    certificate = 3,          // client_hello. name: a certificate block of the configuration
    request_certificate = 4,  // client_hello. value: "yes" or "no"; a listed domain's demand is not lowered by it
    evidence = 5,             // peer_judged. name, value: noted with the decision, shown to later events of the session
    add_field = 6,            // header_end. name, value (unfolded text); stands in front
    remove_field = 7,         // header_end. name: every field of that name
    rewrite_field = 8,        // header_end. name, value: the first of that name, or a new one
    hold = 9,                 // message_end. stored, not delivered until released; value: why
    discard = 10,             // message_end. answered 250 and dropped; value: why
    reroute = 11,  // message_end. name: the send connector that takes it instead of the address spaces' choice
    host = 12,     // route. name: host or host:port, in order, instead of MX or smart host
};
struct Effect {
    EffectKind kind;
    std::string name, value;
};

struct Decision {
    Verdict verdict;
    std::optional<Demand> demand;
    bool spoke = false;  // it said something; "enforcement script" with a silent script leaves the floor standing
    bool replaces_floor = false;  // only heeded for the partner whose block says `enforcement script`
    std::vector<Effect> effects;
};

// One event as a decider sees it. Implemented by the host; append only. Valid during the call that passed it, on that
// thread: copy what you keep.
class Question {
public:
    virtual ~Question() = default;
    virtual Event event() const = 0;
    virtual const Session* session() const = 0;    // null where there is none (start, timer, notice ...)
    virtual const Envelope* envelope() const = 0;  // null before MAIL
    virtual std::string_view domain() const = 0;   // the domain in question, canonical, or empty
    virtual std::string_view partner() const = 0;  // the listed entry that it matched, or empty
    // By the names that the table gives for this event ("server_name"); nothing where there is no such detail.
    virtual std::optional<std::string_view> detail(std::string_view name) const = 0;
    // header_end and message_end: the header section, CRLF, with its last empty line; else empty.
    virtual std::string_view header() const = 0;
};

}  // namespace postern
