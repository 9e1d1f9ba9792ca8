#include <algorithm>
#include <ctime>
#include <mail/notification.hpp>
#include <mail/utf8.hpp>
#include <queue/notice.hpp>

namespace postern::queue {

std::string rfc5322_date(Time time) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[128];
    std::snprintf(text, sizeof text, "%s, %d %s %d %02d:%02d:%02d +0000", days[parts.tm_wday], parts.tm_mday,
                  months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}

namespace {

// What a server said may hold anything, and stands in one line of ours.
std::string clean(std::string_view text) {
    std::string safe;
    for (unsigned char c : text.substr(0, 900)) safe += c >= 32 && c < 127 ? static_cast<char>(c) : '?';
    return safe;
}

struct Wording {
    std::string_view action, subject, sentence;
};

Wording wording(Action action) {
    switch (action) {
        case Action::delayed:
            return {"delayed", "Your message is delayed",
                    "has not yet been delivered to these recipients. It is still being tried; you need do nothing:"};
        case Action::delivered:
            return {"delivered", "Your message was delivered", "was delivered to these recipients:"};
        case Action::relayed:
            return {"relayed", "Your message was passed on",
                    "was passed on to a server that does not report on what becomes of it, for these recipients:"};
        default:
            return {"failed", "Your message could not be delivered",
                    "could not be delivered to these recipients and will not be tried again:"};
    }
}

constexpr Action order[] = {Action::failed, Action::delayed, Action::delivered, Action::relayed};

std::string cause(const Reported& report) {
    return (report.token.empty() ? "" : report.token + ": ") + clean(report.text);
}

std::string for_people(const QueuedMessage& message, const std::vector<Reported>& reports, std::string_view fqdn) {
    std::string text = "This is the mail server " + std::string(fqdn) + ".\r\n";
    for (const auto action : order) {
        bool first = true;
        for (const auto& one : reports) {
            if (one.action != action) continue;
            if (std::exchange(first, false))
                text += "\r\nYour message (" + message.id + ") " + std::string(wording(action).sentence) + "\r\n\r\n";
            text += "  <" + one.recipient + ">\r\n    " + clean(one.status) + " " + cause(one) + "\r\n";
        }
    }
    return text;
}

// The name in "NAME[ADDRESS]:PORT"; where it is the address itself, as a literal (RFC 3464 2.1.2).
std::string host_of(std::string_view relay) {
    const auto open = std::min(relay.find('['), relay.size());
    const auto name = relay.substr(0, open), literal = relay.substr(open, relay.find(']') - open);
    return std::string(name) == literal.substr(std::min<std::size_t>(1, literal.size())) ? std::string(literal) + "]"
                                                                                         : std::string(name);
}

// RFC 3464 2.2, 2.3.
std::string for_machines(const QueuedMessage& message, const std::vector<Reported>& reports, std::string_view fqdn,
                         Time now) {
    std::string text;
    if (const auto envid = mail::from_xtext(message.envid); envid && !envid->empty())
        text += "Original-Envelope-Id: " + clean(*envid) + "\r\n";
    text += "Reporting-MTA: dns; " + std::string(fqdn) + "\r\nArrival-Date: " + rfc5322_date(message.received) + "\r\n";
    for (const auto& one : reports) {
        text += "\r\n";
        if (!one.orcpt.empty()) text += "Original-Recipient: " + mail::typed_original(one.orcpt) + "\r\n";
        text += "Final-Recipient: " + mail::typed_address(one.recipient) +
                "\r\nAction: " + std::string(wording(one.action).action) + "\r\nStatus: " + clean(one.status) + "\r\n";
        if (one.said_by_peer) text += "Remote-MTA: dns; " + clean(host_of(one.remote)) + "\r\n";
        text += std::string("Diagnostic-Code: ") + (one.said_by_peer ? "smtp; " : "x-postern; ") + cause(one) + "\r\n" +
                "Last-Attempt-Date: " + rfc5322_date(now) + "\r\n";
        if (one.until) text += "Will-Retry-Until: " + rfc5322_date(*one.until) + "\r\n";
    }
    return text;
}

std::string part(std::string_view boundary, std::string_view type, std::string_view content, bool binary = false) {
    auto text = "--" + std::string(boundary) + "\r\nContent-Type: " + std::string(type) + "\r\n";
    if (binary) text += "Content-Transfer-Encoding: binary\r\n";
    else if (!mail::is_ascii(content)) text += "Content-Transfer-Encoding: 8bit\r\n";
    return text + "\r\n" + std::string(content) + "\r\n";
}

QueuedMessage envelope_to(const QueuedMessage& message, const std::string& id, Time now) {
    QueuedMessage envelope;
    envelope.id = id;
    envelope.received = now;
    envelope.connector = "notice";
    envelope.session = message.session;
    QueuedRecipient recipient;
    recipient.address = message.sender;
    recipient.domain = message.sender.substr(message.sender.rfind('@') + 1);
    recipient.next_attempt = now;
    recipient.notify = "NEVER";  // RFC 3461 5.2.9: no notice about a notice, from anybody
    envelope.recipients.push_back(std::move(recipient));
    return envelope;
}

}  // namespace

Notice notice(const QueuedMessage& message, const std::vector<Reported>& reports, std::string_view fqdn,
              const std::string& id, Time now, const Returned& returned) {
    const std::string host(fqdn);
    const auto people = for_people(message, reports, fqdn);
    const auto machines = for_machines(message, reports, fqdn, now);
    // RFC 6533: other types where other than ASCII stands in them.
    const bool global = !mail::is_ascii(machines), global_header = message.smtputf8 && message.eight_bit_header;
    auto boundary = "postern-" + id;
    while (returned.octets.find(boundary) != std::string::npos || machines.find(boundary) != std::string::npos)
        boundary += "-";
    const auto first = std::find_first_of(std::begin(order), std::end(order), reports.begin(), reports.end(),
                                          [](Action a, const Reported& b) { return a == b.action; });
    const auto* subject = first == std::end(order) ? std::begin(order) : first;
    std::string text = "From: Mail delivery <postmaster@" + host + ">\r\nTo: <" + message.sender +
                       ">\r\nSubject: " + std::string(wording(*subject).subject) + "\r\nDate: " + rfc5322_date(now) +
                       "\r\nMessage-ID: <" + id + "@" + host +
                       ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
                       "Content-Type: multipart/report; report-type=" + (global ? "global-" : "") +
                       "delivery-status;\r\n\tboundary=\"" + boundary + "\"\r\n";
    const bool eight_bit = global || !mail::is_ascii(people) || !mail::is_ascii(returned.octets);
    const bool binary = message.binary && returned.whole;
    if (binary) text += "Content-Transfer-Encoding: binary\r\n";
    else if (eight_bit) text += "Content-Transfer-Encoding: 8bit\r\n";
    text += "\r\n" + part(boundary, "text/plain; charset=utf-8", people) +
            part(boundary, global ? "message/global-delivery-status" : "message/delivery-status", machines);
    const auto* headers_type = global_header ? "message/global-headers" : "text/rfc822-headers";
    const auto* whole_type = global_header ? "message/global" : "message/rfc822";
    if (!returned.octets.empty())
        text += part(boundary, returned.whole ? whole_type : headers_type, returned.octets, binary);
    text += "--" + boundary + "--\r\n";
    Notice made{envelope_to(message, id, now), std::move(text)};
    made.envelope.message_id = id + "@" + host;
    made.envelope.binary = binary;
    made.envelope.eight_bit = eight_bit || !mail::is_ascii(message.sender);
    made.envelope.eight_bit_header = made.envelope.smtputf8 = !mail::is_ascii(message.sender);
    made.envelope.size = made.text.size();
    return made;
}

}  // namespace postern::queue
