#include <algorithm>
#include <mail/downgrade.hpp>
#include <mail/notification.hpp>
#include <queue/notice.hpp>

namespace postern::queue {

// A longer message goes back as its header section: a notice is not to be a way of doubling mail.
static constexpr std::uint64_t returned_octets = 64u << 10;
static constexpr std::size_t longest_line = 998;  // RFC 5322 2.1.1

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

static bool has_long_lines(std::string_view octets) {
    while (!octets.empty()) {
        const auto end = std::min(octets.find("\r\n"), octets.size());
        if (end > longest_line) return true;
        octets.remove_prefix(std::min(octets.size(), end + 2));
    }
    return false;
}

void keep_header(Returned& returned) {
    returned.whole = false;
    std::string_view rest = returned.octets;
    const auto end = rest.find("\r\n\r\n");
    // Cut within the header section: up to its last whole line.
    const auto last = end != std::string_view::npos ? end : rest.rfind("\r\n");
    rest = rest.substr(0, last == std::string_view::npos ? 0 : last + 2);
    std::string lines;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find("\r\n"));
        rest.remove_prefix(line.size() + 2);
        // Not in the middle of a character.
        auto length = std::min(line.size(), longest_line);
        while (length > 0 && length < line.size() && (static_cast<unsigned char>(line[length]) & 0xc0u) == 0x80u)
            --length;
        lines.append(line.substr(0, length)).append("\r\n");
    }
    returned.octets = std::move(lines);
}

Returned returned_part(Spool& spool, const QueuedMessage& message, const std::vector<Reported>& reports,
                       bool mutual_way_back) {
    Returned returned;
    auto source = spool.open(message.id);
    if (!source) return returned;
    const bool failed =
        std::any_of(reports.begin(), reports.end(), [](const Reported& one) { return one.action == Action::failed; });
    returned.whole =
        failed && message.ret != "HDRS" && message.size <= returned_octets && (mutual_way_back || !secured(message));
    returned.octets.resize(static_cast<std::size_t>(std::min(message.size, returned_octets)));
    const auto count =
        (*source)->read_at(0, {reinterpret_cast<std::uint8_t*>(returned.octets.data()), returned.octets.size()});
    returned.octets.resize(count ? *count : 0);
    returned.whole &= returned.octets.size() == message.size && (message.binary || !has_long_lines(returned.octets));
    if (!returned.whole) keep_header(returned);
    return returned;
}

bool fits_everywhere(const std::string& text) {
    mail::Downgrade survey(mail::Taken::seven_bit);
    survey.feed(text);
    survey.finish();
    return survey.plan().impossible.empty();
}

}  // namespace postern::queue
