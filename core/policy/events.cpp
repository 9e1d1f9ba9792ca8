#include <algorithm>
#include <cctype>
#include <mail/reply.hpp>
#include <policy/events.hpp>

namespace postern::policy {

namespace {

// ---- the table ------------------------------------------------------------------------------------------------------

constexpr DetailRow reload_details[] = {{"file", "the configuration's file"}, {"generation", "its number", true}};
constexpr DetailRow timer_details[] = {{"tick", "minutes since the start", true}};
constexpr DetailRow hello_details[] = {{"server_name", "the SNI that the client sent, or empty"}};
constexpr DetailRow auth_details[] = {{"mechanism", "as asked for, upper case"}};
constexpr DetailRow failed_details[] = {{"reason", "one sentence"}};
constexpr DetailRow judged_details[] = {{"standing", "passes, exception or refused"},
                                        {"reason", "the token of the first fault, or empty"},
                                        {"sentence", "the fault in plain words, or empty"},
                                        {"client_name", "the certificate's name that spoke for the domain, or empty"},
                                        {"revocation", "good, short-lived, none or empty"},
                                        {"host", "outbound: the host that was judged; inbound: empty"}};
constexpr DetailRow certificate_details[] = {{"partner", "the listed entry that it was judged for"},
                                             {"domain", "the domain in question, canonical"},
                                             {"direction", "in or out"},
                                             {"connector", "the connector's name"},
                                             {"host", "outbound: the host that showed it; inbound: empty"},
                                             {"certificate", "SHA-256 of the leaf, lower-case hex"},
                                             {"subject", "its subject"},
                                             {"not_before", "when it begins, seconds since 1970", true},
                                             {"not_after", "when it ends, likewise", true},
                                             {"standing", "passes, exception or refused"},
                                             {"client_name", "its name that spoke for the domain"}};
constexpr DetailRow recipient_details[] = {{"recipient", "the address asked for"},
                                           {"recipient_domain", "its domain, canonical"}};
constexpr DetailRow data_details[] = {{"declared_size", "of SIZE=, 0 where none was given", true}};
constexpr DetailRow message_details[] = {{"queue_id", "under which it will be queued"},
                                         {"size", "octets, with our own header fields", true}};
constexpr DetailRow disconnect_details[] = {{"messages", "accepted in this session", true}};
constexpr DetailRow connect_details[] = {{"host", "the mail host's name"}, {"address", "its address"}};
constexpr DetailRow outbound_ehlo_details[] = {{"host", "the mail host's name"},
                                               {"extensions", "keywords that it offers, one blank between"}};
constexpr DetailRow delivery_details[] = {{"queue_id", "of the message"},
                                          {"recipient", "the address"},
                                          {"result", "delivered, deferred or bounced"},
                                          {"status", "the enhanced status code"},
                                          {"text", "what the other side said, or why not"},
                                          {"relay", "who took it"}};
constexpr DetailRow notice_details[] = {{"queue_id", "of the message that the notice is about"},
                                        {"recipient", "whom the notice goes to"},
                                        {"notice_id", "under which the notice is queued"}};

constexpr EffectKind ehlo_effects[] = {EffectKind::hide_extension, EffectKind::add_extension};
constexpr EffectKind hello_effects[] = {EffectKind::certificate, EffectKind::request_certificate};
constexpr EffectKind judged_effects[] = {EffectKind::evidence};
constexpr EffectKind header_effects[] = {EffectKind::add_field, EffectKind::remove_field, EffectKind::rewrite_field};
constexpr EffectKind end_effects[] = {EffectKind::hold, EffectKind::discard, EffectKind::reroute};
constexpr EffectKind route_effects[] = {EffectKind::host};

constexpr std::string_view remembered =
    "the session goes on; MAIL of a listed domain is answered 451 4.3.0, after a native decider's failure every MAIL";
constexpr std::string_view deferred = "451 4.3.0; a script for all defers listed domains only";
constexpr std::string_view logged = "logged";

constexpr EventRow rows[] = {
    {Event::start, "start", "the daemon begins to serve", false, false, false, false, {}, {}, logged},
    {Event::config_validate,
     "config_validate",
     "a configuration was read and is about to be taken",
     false,
     false,
     true,
     false,
     reload_details,
     {},
     "the configuration is refused"},
    {Event::config_reloaded,
     "config_reloaded",
     "a new generation is in force",
     false,
     false,
     false,
     false,
     reload_details,
     {},
     logged},
    {Event::timer, "timer", "once a minute, on one worker", false, false, false, false, timer_details, {}, logged},
    {Event::connection,
     "connection",
     "a client connected; before the greeting",
     true,
     false,
     true,
     false,
     {},
     {},
     remembered},
    {Event::ehlo, "ehlo", "EHLO or HELO came in", true, false, true, false, {}, ehlo_effects, remembered},
    {Event::starttls, "starttls", "STARTTLS came in; before 220", true, false, true, false, {}, {}, remembered},
    {Event::client_hello, "client_hello", "the TLS client hello came in", true, false, false, false, hello_details,
     hello_effects, remembered},
    {Event::tls_established, "tls_established", "the handshake is done", true, false, false, false, {}, {}, remembered},
    {Event::tls_failed, "tls_failed", "the handshake broke", true, false, false, false, failed_details, {}, logged},
    {Event::auth,
     "auth",
     "AUTH came in; the core offers none and answers 502 where no decider refuses first",
     true,
     false,
     true,
     false,
     auth_details,
     {},
     remembered},
    {Event::mail, "mail", "MAIL FROM came in", true, true, true, true, {}, {}, deferred},
    {Event::peer_judged, "peer_judged",
     "the peer's certificate was held against what the domain demands; inbound at MAIL, outbound after the handshake",
     true, true, true, false, judged_details, judged_effects, deferred},
    {Event::partner_certificate,
     "partner_certificate",
     "a certificate that is a listed domain's was judged; once an hour for each and each connector",
     false,
     false,
     false,
     false,
     certificate_details,
     {},
     logged},
    {Event::recipient,
     "recipient",
     "RCPT TO came in, and the core would take it",
     true,
     true,
     true,
     false,
     recipient_details,
     {},
     deferred},
    {Event::data_start, "data_start", "DATA came in; before 354", true, true, true, false, data_details, {}, deferred},
    {Event::header_end,
     "header_end",
     "the header section is complete; our own fields are not yet in it",
     true,
     true,
     true,
     false,
     {},
     header_effects,
     deferred},
    {Event::message_end, "message_end", "the data is complete; 250 not yet said", true, true, true, false,
     message_details, end_effects, deferred},
    {Event::queued,
     "queued",
     "the message is on stable storage and 250 is said",
     true,
     true,
     false,
     false,
     message_details,
     {},
     logged},
    {Event::disconnect, "disconnect", "the session ended", true, false, false, false, disconnect_details, {}, logged},
    {Event::outbound_requirement,
     "outbound_requirement",
     "what delivery to a domain demands: when its mail is queued (verdicts are not heeded yet) and at each attempt",
     true,
     true,
     true,
     true,
     {},
     {},
     "delivery is deferred; a script for all defers listed domains only"},
    {Event::route,
     "route",
     "the hosts for a destination are about to be found",
     true,
     true,
     true,
     false,
     {},
     route_effects,
     "delivery is deferred; a script for all defers listed domains only"},
    {Event::outbound_connect,
     "outbound_connect",
     "before a connection to a mail host",
     true,
     true,
     true,
     false,
     connect_details,
     {},
     "that host is passed over; a script for all does so for listed domains only"},
    {Event::outbound_ehlo,
     "outbound_ehlo",
     "the mail host answered EHLO, in TLS where there is TLS",
     true,
     true,
     true,
     false,
     outbound_ehlo_details,
     {},
     "that host is passed over; a script for all does so for listed domains only"},
    {Event::delivery_result,
     "delivery_result",
     "a recipient's attempt ended",
     false,
     false,
     false,
     false,
     delivery_details,
     {},
     logged},
    {Event::notice,
     "notice",
     "a notice to a sender was built and queued",
     false,
     false,
     false,
     false,
     notice_details,
     {},
     logged},
    {Event::stop, "stop", "the daemon ends", false, false, false, false, {}, {}, logged},
};

constexpr EffectRow effects[] = {
    {EffectKind::hide_extension, "hide_extension", "keyword", true, false,
     "leaves the keyword out of the EHLO reply (STARTTLS cannot be hidden)"},
    {EffectKind::add_extension, "add_extension", "keyword, parameters", true, true,
     "adds a keyword that the server does not use itself"},
    {EffectKind::certificate, "certificate", "name", true, false, "presents that certificate of the configuration"},
    {EffectKind::request_certificate, "request_certificate", "\"yes\" or \"no\"", false, true,
     "asks the client for its certificate, or not; where the connector has domain_secure_enabled it is always asked"},
    {EffectKind::evidence, "evidence", "name, value", true, true, "is noted in the log beside the decision"},
    {EffectKind::add_field, "add_field", "name, value", true, true, "a header field in front of the others"},
    {EffectKind::remove_field, "remove_field", "name", true, false, "every header field of that name goes"},
    {EffectKind::rewrite_field, "rewrite_field", "name, value", true, true,
     "the first field of that name gets this value, its others go; a new one where there is none"},
    {EffectKind::hold, "hold", "why", false, true, "stored and answered 250, delivered when it is released"},
    {EffectKind::discard, "discard", "why", false, true, "answered 250 and dropped"},
    {EffectKind::reroute, "reroute", "connector", true, false, "that send connector takes it; its demands stay"},
    {EffectKind::host, "host", "host", true, false,
     "HOST or HOST:PORT instead of mail exchangers or smart host; several are tried in order; demands stay"},
};

// ---- what an answer may hold ----------------------------------------------------------------------------------------

bool printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}
// RFC 5321 4.1.1.1: ehlo-keyword.
bool keyword(std::string_view text) {
    return !text.empty() && text.size() <= 40 && text.front() != '-' &&
           std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '-'; });
}
// RFC 5322 3.6.8: printable but colon.
bool field_name(std::string_view text) {
    return !text.empty() && text.size() <= 76 &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != ':'; });
}
bool equal_folded(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b,
                              [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// What holds Received, marks and loops together is the core's own.
bool core_field(std::string_view name) {
    constexpr std::string_view own[] = {"Received", "Authentication-Results", "Return-Path"};
    constexpr std::string_view prefix = "x-postern-";
    return std::ranges::any_of(own, [&](std::string_view one) { return equal_folded(one, name); }) ||
           equal_folded(name.substr(0, prefix.size()), prefix);
}

std::string bad_value(const Effect& effect) {
    constexpr std::string_view served[] = {"SIZE",     "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES",
                                           "STARTTLS", "AUTH",       "CHUNKING", "BINARYMIME",
                                           "SMTPUTF8", "DSN",        "ETRN",     "EXPN",
                                           "VRFY",     "TURN"};
    switch (effect.kind) {
        case EffectKind::hide_extension:
            if (!keyword(effect.name)) return "is no EHLO keyword";
            return equal_folded(effect.name, "STARTTLS") ? "cannot be hidden: that would fail open" : "";
        case EffectKind::add_extension:
            if (!keyword(effect.name) || !printable(effect.value) || effect.value.size() > 200)
                return "is no EHLO keyword with printable parameters";
            return std::ranges::any_of(served, [&](auto one) { return equal_folded(one, effect.name); })
                       ? "is the server's own to offer"
                       : "";
        case EffectKind::request_certificate:
            return effect.value == "yes" || effect.value == "no" ? "" : "wants yes or no";
        case EffectKind::add_field:
        case EffectKind::remove_field:
        case EffectKind::rewrite_field:
            if (!field_name(effect.name)) return "is no header field name";
            if (core_field(effect.name)) return "is a field that the core alone writes";
            return printable(effect.value) && effect.value.size() <= 900 ? "" : "has a value that is not one line";
        case EffectKind::evidence:
        case EffectKind::hold:
        case EffectKind::discard:
            return printable(effect.value) && printable(effect.name) && effect.value.size() <= 300
                       ? ""
                       : "wants one printable line of at most 300 octets";
        case EffectKind::certificate:
        case EffectKind::reroute:
        case EffectKind::host:
            return !effect.name.empty() && effect.name.size() <= 260 && printable(effect.name) ? "" : "wants a name";
    }
    return "is of a kind that this host does not know";
}

}  // namespace

std::span<const EventRow> event_rows() { return rows; }
std::span<const EffectRow> effect_rows() { return effects; }

const EventRow* find_event(Event event) {
    const auto found = std::ranges::find(rows, event, &EventRow::event);
    return found == std::end(rows) ? nullptr : found;
}
const EventRow* find_event(std::string_view name) {
    const auto found = std::ranges::find(rows, name, &EventRow::name);
    return found == std::end(rows) ? nullptr : found;
}
const EffectRow* find_effect(EffectKind kind) {
    const auto found = std::ranges::find(effects, kind, &EffectRow::kind);
    return found == std::end(effects) ? nullptr : found;
}

std::string nonsense(const EventRow& row, const Decision& decision) {
    const auto at = " at the event " + std::string(row.name);
    const auto& verdict = decision.verdict;
    if (verdict.kind > VerdictKind::reject || verdict.kind < VerdictKind::proceed)
        return "a verdict of a kind that this host does not know";
    if (verdict.kind != VerdictKind::proceed && !row.verdict) return "defer and reject are not taken" + at;
    if (verdict.kind != VerdictKind::proceed && !mail::usable(verdict))
        return "a reply that is none: a 4xx or 5xx code, an enhanced code of its class and one printable line are "
               "wanted";
    if (decision.demand && !row.demand) return "a requirement is not taken" + at;
    if (decision.effects.size() > 64) return "more than 64 effects" + at;
    for (const auto& effect : decision.effects) {
        const auto* known = find_effect(effect.kind);
        const auto name = known ? std::string(known->name) : std::string("an effect");
        if (!known || std::ranges::find(row.effects, effect.kind) == row.effects.end())
            return name + " is not taken" + at;
        if (const auto why = bad_value(effect); !why.empty())
            return name + ": \"" + effect.name.substr(0, 60) + "\" " + why;
    }
    return {};
}

std::optional<std::string_view> AskedQuestion::detail(std::string_view name) const {
    for (const auto& one : details_)
        if (one.name == name) return one.value;
    return std::nullopt;
}

}  // namespace postern::policy
