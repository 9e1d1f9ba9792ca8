// Asks whoever listens at an event: scripts first, then native deciders in the order of the configuration, and then
// tells observers. Merges what they say to the strictest, holds each answer against the table of events, and keeps
// apart what failed, since a script for all that fails defers listed domains only.
#pragma once

#include <net/services.hpp>
#include <policy/events.hpp>
#include <policy/faults.hpp>

namespace postern::net {

struct Asked {
    Decision merged;
    bool plugin_failed = false, script_failed = false, partner_failed = false;
    bool partner_spoke = false, replaces_floor = false;  // the partner's own script
    std::string error;

    bool failed() const { return plugin_failed || script_failed || partner_failed; }
    // What depends on the answer must be deferred. `listed`: the domain in question stands on a list.
    bool defers(bool listed) const { return plugin_failed || partner_failed || (script_failed && listed); }
};

// Cheap; where it is false ask() would find nobody.
bool listened_to(const Services& services, const Worker& worker, const Generation& generation, Event event);

// The question must outlive the call. Logs what failed, with `subject` behind it ("session 08C8...").
awaitable<Asked> ask(const Services& services, Worker& worker, std::shared_ptr<const Generation> generation,
                     const policy::AskedQuestion& question, std::string subject);

// A function that postern.every named, on its worker.
awaitable<void> run_timer(const Services& services, Worker& worker, std::shared_ptr<const Generation> generation,
                          script::TimerPlace timer);

void tell_observers(const Services& services, const policy::AskedQuestion& question, const Verdict& verdict);

using policy::policy_failed;

}  // namespace postern::net
