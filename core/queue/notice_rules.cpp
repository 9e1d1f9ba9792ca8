#include <algorithm>
#include <mail/notification.hpp>
#include <queue/notice.hpp>

namespace postern::queue {

// A longer message goes back as its header section: a notice is not to be a way of doubling mail.
static constexpr std::uint64_t returned_octets = 64u << 10;

std::optional<Reported> to_report(const Attempt& attempt) {
    const auto& [message, recipient, outcome, retry, relay, final_delivery, now, by_hand] = attempt;
    // RFC 5321 6.1: no notice about a notice.
    if (message.sender.empty()) return std::nullopt;
    const auto asked = mail::notify_of(recipient.notify);
    const bool silent = recipient.notify.empty();
    if (asked.never) return std::nullopt;
    Reported report;
    if (attempt.failed()) {
        if (!(asked.failure || silent) || to_be_held(attempt)) return std::nullopt;
        report.action = Action::failed;
    } else if (outcome.kind == VerdictKind::proceed) {
        if (!asked.success || outcome.passed_on) return std::nullopt;
        report.action = final_delivery ? Action::delivered : Action::relayed;
    } else {
        const bool told = asked.delay || (silent && (message.known_sender || message.domain_secured));
        if (!told || recipient.delay_notified || now - message.received < retry.delay_notice) return std::nullopt;
        report.action = Action::delayed;
        report.until = message.received + retry.expiry;
    }
    report.recipient = recipient.address;
    report.orcpt = recipient.orcpt;
    report.status = outcome.status;
    report.text = outcome.text;
    report.token = outcome.token;
    report.said_by_peer = outcome.code != 0 && outcome.token.empty();
    report.remote = relay;
    return report;
}

bool to_be_held(const Attempt& attempt) {
    const auto asked = mail::notify_of(attempt.recipient.notify);
    if (!attempt.failed()) return false;
    if (attempt.message.sender.empty()) return true;
    if (asked.never || attempt.by_hand) return false;
    const bool verified = attempt.message.known_sender || attempt.message.domain_secured;
    return attempt.recipient.hold_late_reject && !verified;
}

static bool secured(const QueuedMessage& message) {
    return message.domain_secured ||
           std::any_of(message.recipients.begin(), message.recipients.end(),
                       [](const QueuedRecipient& one) { return one.requirement.starts_with("mutual"); });
}

Returned returned_part(Spool& spool, const QueuedMessage& message, const std::vector<Reported>& reports,
                       bool mutual_way_back) {
    Returned returned;
    auto source = spool.open(message.id);
    if (!source) return returned;
    const bool failed =
        std::any_of(reports.begin(), reports.end(), [](const Reported& one) { return one.action == Action::failed; });
    returned.whole = failed && message.ret != "HDRS" && message.size <= returned_octets && !message.binary &&
                     (mutual_way_back || !secured(message));
    returned.octets.resize(static_cast<std::size_t>(std::min(message.size, returned_octets)));
    const auto count =
        (*source)->read_at(0, {reinterpret_cast<std::uint8_t*>(returned.octets.data()), returned.octets.size()});
    returned.whole &= count && *count == message.size;
    returned.octets.resize(count ? *count : 0);
    if (returned.whole) return returned;
    const auto end = returned.octets.find("\r\n\r\n");
    // Cut within the header section: up to its last whole line.
    returned.octets.resize(end != std::string::npos ? end + 2 : returned.octets.rfind("\r\n") + 2);
    return returned;
}

}  // namespace postern::queue
