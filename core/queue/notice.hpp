// What the sender is told: which outcome is worth a notice, and the notice itself as multipart/report (RFC 3461, 3464,
// 6522, 6533) with the true cause. Decides and writes texts; who queues them is the queue's business.
#pragma once

#include <config/settings.hpp>
#include <optional>
#include <queue/spool.hpp>
#include <smtp/client_session.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::queue {

enum class Action : std::uint8_t { failed, delayed, delivered, relayed };  // RFC 3464 2.3.3

struct Reported {
    Action action = Action::failed;
    std::string recipient, orcpt;
    std::string status, text, token;
    bool said_by_peer = false;  // text is the reply of `remote`
    std::string remote;         // "mx1.example.org[192.0.2.1]:25", or a provider's name
    std::optional<Time> until;  // delayed: how long it is still tried
};

// One attempt for one recipient.
struct Attempt {
    const QueuedMessage& message;
    const QueuedRecipient& recipient;
    const smtp::RecipientOutcome& outcome;
    const config::Retry& retry;
    std::string_view relay;
    bool final_delivery = false;  // to a mailbox, or by LMTP: nobody behind it reports on success
    Time now{};
    bool by_hand = false;  // an administrator bounces it, who knows what he does

    bool expired() const { return now - message.received > retry.expiry; }
    bool failed() const {
        return outcome.kind == VerdictKind::reject || (outcome.kind == VerdictKind::defer && expired());
    }
};

// Nothing: the sender is not to be told. NOTIFY is obeyed (RFC 3461 4.1); where it is absent failures are told, delays
// to those alone who are ours or proven.
std::optional<Reported> to_report(const Attempt& attempt);
// A failure of which nobody is told although nobody said NEVER: what our own hub refuses after we took it is held,
// since its sender is whoever he says (late_reject), and so is what has no sender.
bool to_be_held(const Attempt& attempt);

// What of the message goes back: whole, or its header section.
struct Returned {
    std::string octets;
    bool whole = false;
};
// Reads the spool; blocks. What was received or is sent over mutual TLS goes back as header fields only unless the way
// back demands mutual TLS, too; and so does all but a failure (RFC 3461 4.3).
Returned returned_part(Spool& spool, const QueuedMessage& message, const std::vector<Reported>& reports,
                       bool mutual_way_back);
// Of a whole message its header section alone, no line longer than RFC 5322 allows.
void keep_header(Returned& returned);
// A server that takes 7 bits alone can be given it, converted: a notice that could not be delivered tells nobody.
bool fits_everywhere(const std::string& text);

struct Notice {
    QueuedMessage envelope;  // to the sender of `message`, from nobody
    std::string text;
};
Notice notice(const QueuedMessage& message, const std::vector<Reported>& reports, std::string_view fqdn,
              const std::string& id, Time now, const Returned& returned);

std::string rfc5322_date(Time time);

}  // namespace postern::queue
