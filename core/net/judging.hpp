// Gathers the evidence about one peer for one domain: asks name matcher and judge, bounded in time, and notes which
// role is missing. What it means is for policy::weigh to say.
#pragma once

#include <net/services.hpp>
#include <policy/evidence.hpp>

namespace postern::net {

// The floor for a domain on one of the lists: mutual TLS under the terms of its partner block.
policy::Requirement floor_for(const config::Settings& settings, std::string_view entry);

// MAIL waits for evidence at most this long, then answers revocation-pending while the fetch goes on.
inline constexpr std::chrono::milliseconds evidence_time{30000};

// Completes `evidence` (its tls is set already). `entry` as listed; `domain` canonical.
awaitable<void> judge_peer(const Services& services, std::shared_ptr<const Generation> generation,
                           const policy::Requirement& requirement, std::string entry, std::string domain,
                           policy::Evidence& evidence);

// The role without which nothing can be judged, or empty.
std::string missing_role(const Services& services, const Generation& generation,
                         const policy::Requirement& requirement);

// What was judged under one holds under the other: a script may demand more for the next message of a session.
bool same_terms(const policy::Partner& one, const policy::Partner& other);

// The trusted server whose pinned certificate or key this session presented, or null.
const config::TrustedServer* trusted_server(const config::Settings& settings, const TlsFacts* tls, Time now);

// One line for the log: names certificate, what held, and the next step.
std::string judged_text(const policy::Outcome& outcome, const policy::Evidence& evidence, std::string_view domain);

}  // namespace postern::net
