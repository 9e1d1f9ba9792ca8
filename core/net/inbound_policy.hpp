// What the core answers at MAIL and RCPT: floor, deciders and evidence for the sender's domain; relay and recipients
// for the recipient's. One session's; asked by the driver (inbound.hpp).
#pragma once

#include <net/deciding.hpp>
#include <net/judging.hpp>
#include <net/protocol_log.hpp>
#include <smtp/server_session.hpp>

namespace postern::net {

// The facts of one session that policy looks at.
struct SessionFacts {
    std::shared_ptr<const Generation> generation;  // of the transaction under way
    const config::ReceiveConnector* connector = nullptr;
    std::string id, remote_address;
    const TlsFacts* tls = nullptr;
    bool starttls_offered = false, starttls_tried = false;
    bool certificate_requested = false;  // in this session's handshake
    // Of deciders asked before MAIL: what they would have demanded is not known.
    bool plugin_failed = false, script_failed = false;
    bool policy_failed(std::string_view entry) const { return plugin_failed || (script_failed && !entry.empty()); }
};

// What was decided for the transaction under way.
struct TransactionPolicy {
    std::string entry;  // the listed entry of the sender's domain, or empty
    policy::Outcome outcome;
    const config::TrustedServer* trusted = nullptr;
    bool own_sender_tagged = false;

    // Label of counters: the operator's lists bound its values. A script may demand of everybody, whom a sender names.
    std::string_view counted_as() const { return entry.empty() ? std::string_view("*") : std::string_view(entry); }
    // A server of ours, or one whose valid certificate speaks for a listed domain: by exception is no proof.
    bool proven() const { return trusted || (!entry.empty() && outcome.passes && !outcome.client_name.empty()); }
    bool relay() const { return trusted && trusted->relay; }
    bool keeps_marks() const { return trusted && trusted->marks; }
};

class InboundPolicy {
public:
    InboundPolicy(Services& services, Worker& worker, ProtocolLog& log)
        : services_(services), worker_(worker), log_(log) {}

    awaitable<Verdict> mail(const SessionFacts& session, const smtp::ServerSession& machine);
    // unknown: the recipient's domain is ours and nobody there is called so.
    Verdict recipient(const SessionFacts& session, const mail::Path& path, bool& unknown) const;
    // What mail for `domain` demands now, to be stored with the recipient (policy::to_text). A script that fails here
    // is asked again at each attempt.
    awaitable<std::string> outbound_requirement(const SessionFacts& session, const smtp::ServerSession& machine,
                                                std::string domain) const;
    // Asks at an event of this session; with the envelope where that event has one.
    awaitable<Asked> ask_about(Event event, const SessionFacts& session, const smtp::ServerSession& machine,
                               std::vector<Detail> details = {}, std::string_view header = {});
    // The verdict of what was asked: 451 4.3.0 where it failed and matters.
    Verdict said(const Asked& asked, const SessionFacts& session, const std::string& domain);
    const TransactionPolicy& transaction() const { return transaction_; }
    // For MAIL FROM:<>: the one listed entry that the verified certificate speaks for, if it is exactly one.
    void forget() { transaction_ = {}; }

private:
    awaitable<Verdict> hold_against(const SessionFacts& session, const smtp::ServerSession& machine, std::string domain,
                                    policy::Requirement requirement);
    awaitable<void> mark_null_sender(const SessionFacts& session, const smtp::ServerSession& machine);
    Verdict undecided(const SessionFacts& session, const std::string& domain);
    Verdict verdict_on(const SessionFacts& session, const std::string& domain);

    awaitable<void> judged(const SessionFacts& session, const policy::Requirement& requirement,
                           const std::string& domain, policy::Evidence& evidence);

    Services& services_;
    Worker& worker_;
    ProtocolLog& log_;
    TransactionPolicy transaction_;
};

}  // namespace postern::net
