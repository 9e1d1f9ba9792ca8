// Domain Security as values: what a domain demands (Requirement), what plugins established (Evidence), and the core
// holding one against the other (weigh). No network, no clock, no plugin: the caller gathered everything.
#pragma once

#include <optional>
#include <policy/faults.hpp>
#include <policy/partner.hpp>
#include <postern/decider.hpp>
#include <postern/tls.hpp>
#include <postern/trust.hpp>
#include <string>

namespace postern::policy {

// What must hold for one domain: the floor where it is listed, and what deciders added.
struct Requirement {
    bool listed = false;
    Partner partner;              // the terms; meaningful where listed or where a decider demands mutual TLS
    Demand demand;                // merged
    bool floor_replaced = false;  // `enforcement script`, and the script spoke

    bool needs_mutual() const { return (listed && !floor_replaced) || demand.mutual; }
    bool needs_tls() const { return needs_mutual() || demand.tls || demand.minimum != TlsVersion::unknown; }
};

// Strictest of both, field by field; lists of issuers and names are cut to what both accept.
Demand strictest(const Demand& a, const Demand& b);

// "mutual;min=TLS1.3;..." : what the queue stores with a recipient, and what connections are shared by.
std::string to_text(const Requirement& requirement);
// What such a text demands; of nonsense mutual TLS, since what was promised is not lowered by what cannot be read.
Demand demand_of(std::string_view text);

struct Evidence {
    bool outbound = false;
    bool connector_secured = true;  // domain_secure_enabled and TLS configured
    std::string missing_role;       // names the plugin; empty = all there
    Fault failed;                   // a plugin or script that failed or timed out
    const TlsFacts* tls = nullptr;  // null: clear text
    bool starttls_offered = false;  // it stood in this session's EHLO reply
    bool starttls_tried = false;
    bool handshake_failed_lately = false;  // with this address, within the hour
    bool certificate_asked = true;         // inbound: this handshake asked for the peer's certificate
    bool own_certificate = true;           // outbound: one was sent
    std::optional<Judgement> judgement;
    std::optional<NameEvidence> name;
};

struct Outcome {
    bool passes = false;
    bool domain_secured = false;  // marked and counted
    bool by_exception = false;
    std::string exception;    // which one, for the log: "allow no-revocation until 2027-01-31: their CA moves"
    Fault fault;              // the first one, also where an exception let it pass
    std::string revocation;   // "good", "short-lived", "none"
    std::string client_name;  // the certificate's name that spoke for the domain
};

// Faults are looked for in the order of the spec's table; the first one answers.
Outcome weigh(const Requirement& requirement, const Evidence& evidence, Time now);

}  // namespace postern::policy
