#include <algorithm>
#include <base/messages.hpp>

namespace postern {

// One row a message; keep the groups, and within them the order of a message's life.
static const Message catalogue[] = {
    // start, reload, end
    {"started", Severity::info, "The daemon runs; the line names version, generation and listeners."},
    {"start-failed", Severity::error, "The daemon could not start; the line says why and what to mend."},
    {"reloaded", Severity::info,
     "SIGHUP: the new configuration is in force for the next transaction of every session."},
    {"reload-refused", Severity::error,
     "SIGHUP: the new configuration has faults, all listed; the old one stays in force."},
    {"reload-waiting", Severity::warning,
     "SIGHUP: eight generations live, held by sessions; the reload follows when one of them ends."},
    {"config-warning", Severity::warning, "The configuration loads, and an administrator should know this about it."},
    {"discarded", Severity::warning, "A policy had an accepted message dropped; the line names it and says why."},
    {"draining", Severity::info, "SIGTERM: no new sessions, those open may finish; a second SIGTERM ends at once."},
    {"stopped", Severity::info, "The daemon ended in order."},
    // plugins, scripts
    {"plugin-loaded", Severity::info, "A plugin is in use; the line names file, version and roles."},
    {"plugin-replaced", Severity::info, "A newer file of a plugin is in use; what was begun ends on the older code."},
    {"plugin-overwritten", Severity::error,
     "A plugin's file was written to while its code runs; restart the daemon, and rename new files over old ones."},
    {"plugin-refused", Severity::error, "A plugin file was not loaded; the line says why and the remedy."},
    {"plugin-failed", Severity::error,
     "A plugin threw, answered nonsense or missed its deadline; that transaction was deferred."},
    {"plugin-blocked", Severity::warning,
     "A plugin that promised not to block held a worker and all its sessions; the line names it and for how long."},
    {"role-missing", Severity::error,
     "No plugin provides a role that listed domains depend on: their mail is deferred."},
    {"script-failed", Severity::error, "A policy script failed; the transactions it decides for are deferred."},
    {"script-log", Severity::info, "What a policy script said by postern.log; the line names file and line."},
    // sessions
    {"session-refused", Severity::info, "A connection was refused before a session began; the line says which limit."},
    {"crowded", Severity::warning,
     "Connections are many (three quarters of the limit) or descriptors few: who is silent has "
     "`inactivity_under_load`."},
    {"descriptors-exhausted", Severity::error,
     "No descriptor is left for a connection: it waits until others end. Raise LimitNOFILE, or lower connections."},
    {"mail-refused", Severity::info, "A transaction was refused; the line names the cause, certificate and next step."},
    {"starttls-unavailable", Severity::error,
     "A receive connector cannot offer STARTTLS although a listed domain depends on it."},
    {"connector-not-secured", Severity::error,
     "A listed domain's mail meets a connector without domain_secure_enabled or TLS."},
    {"handshake-failed", Severity::warning, "A TLS handshake broke; the address is remembered for an hour."},
    {"tls-anew", Severity::info,
     "A resumed TLS session failed, or its certificate does not hold any more: the host has a whole handshake."},
    {"exception-used", Severity::warning,
     "An exception of a partner block let a message pass; it ends by itself at its date."},
    {"judged", Severity::info, "A peer's certificate was judged; the line says what held and what did not."},
    {"own-certificate", Severity::error, "Our own certificate cannot be used or will not be believed by partners."},
    // queue, delivery
    {"queued", Severity::info, "A message is on stable storage and was acknowledged."},
    {"delivered", Severity::info, "One recipient was delivered: id, from, to, relay, tls, status, delay."},
    {"deferred", Severity::info, "A delivery attempt failed for now: the line names cause and next attempt."},
    {"bounced", Severity::warning, "A recipient failed for good; a notice goes to the sender where there is one."},
    {"notified", Severity::info,
     "A notice about a message was queued for its sender; trace its id to see where it went."},
    {"held", Severity::warning,
     "A message is kept and not tried: a policy held it, or its notice could not be delivered to anybody; postern "
     "queue release ID."},
    {"spool-damaged", Severity::error, "A spool file could not be read; it was set aside and nothing else is stopped."},
    {"spool-in-use", Severity::error, "Another process has the spool open: one posternd a spool folder."},
    {"removed", Severity::warning, "An administrator had a waiting message dropped."},
    {"released", Severity::info, "An administrator let a held message go; it is due again."},
    {"spool-failing", Severity::error,
     "The spool cannot be written; mail is refused for now and taken again by itself. See to the disk that is named: "
     "space, inodes, how it is mounted, what the kernel says of it."},
    {"certificate-failure", Severity::error,
     "Mail for a listed domain is deferred because its server did not prove the domain."},
    {"domain-waiting", Severity::error, "Nothing was delivered to a listed domain for 24 hours."},
    {"dns-bogus", Severity::warning,
     "A DNS answer failed DNSSEC validation, or could not be validated; said once an hour and name, of a hundred "
     "names. The line says why, "
     "whether it was used (dnssec log) or its mail waits (dnssec on), and what to do."},
    {"control-failed", Severity::warning, "A command on the control socket could not be carried out."},
};

std::span<const Message> messages() { return catalogue; }

static std::string_view word(Severity severity) {
    switch (severity) {
        case Severity::debug:
            return "debug";
        case Severity::info:
            return "info";
        case Severity::warning:
            return "warning";
        case Severity::error:
            break;
    }
    return "error";
}

std::string message_page() {
    std::string page =
        "# Messages\n\nWhat the daemon logs, one line an event: `TIME SEVERITY ID: TEXT`. Ids are stable. Plugins have "
        "their own, in each plugin's README. Made by `posternd --print-messages`.\n\n| id | severity | what it means "
        "|\n"
        "|---|---|---|\n";
    for (const auto& one : catalogue)
        page += "| `" + std::string(one.id) + "` | " + std::string(word(one.severity)) + " | " +
                std::string(one.explanation) + " |\n";
    return page;
}

const Message* find_message(std::string_view id) {
    const auto* found = std::find_if(std::begin(catalogue), std::end(catalogue),
                                     [&](const Message& message) { return message.id == id; });
    return found == std::end(catalogue) ? nullptr : found;
}

}  // namespace postern
