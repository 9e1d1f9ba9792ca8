#include <algorithm>
#include <mail/header.hpp>
#include <mail/notification.hpp>
#include <net/await.hpp>
#include <net/header_edits.hpp>
#include <net/inbound_message.hpp>
#include <unordered_map>

namespace postern::net {

static constexpr std::size_t longest_logged = 250;

// As the log shows it, without brackets; empty where there is none.
static std::string message_id_in(std::string_view header) {
    for (const auto& field : mail::fields(header)) {
        if (!mail::named(field, "Message-ID")) continue;
        auto id = mail::unfolded(field.body);
        if (id.starts_with('<')) id = id.substr(1, id.find('>') - 1);
        return id.substr(0, longest_logged);
    }
    return {};
}

static mail::Reply storage_reply(queue::SpoolHealth health) {
    if (health == queue::SpoolHealth::full) return {452, "4.3.1", "storage is full, try again later"};
    return {451, "4.3.0", "storage is failing, try again later"};
}

bool InboundMessage::store(std::string_view octets, smtp::ServerSession& machine) {
    if (!incoming_) return false;
    if (auto stored = incoming_->append(octets); !stored) {
        services_.log.error("spool-failing", stored.error().text);
        discard();
        machine.storage_failed(storage_reply(services_.spool.health()));
        return false;
    }
    size_ += octets.size();
    return true;
}

void InboundMessage::discard() {
    incoming_.reset();
    size_ = 0;
    eight_bit_header_ = false;
    hold_.reset();
    reroute_.clear();
}

awaitable<void> InboundMessage::header(const SessionFacts& session, InboundPolicy& policy,
                                       smtp::ServerSession& machine) {
    discard();
    header_ = machine.header();
    if (listened_to(services_, worker_, *session.generation, Event::header_end)) {
        const auto asked = co_await policy.ask_about(Event::header_end, session, machine, {}, header_);
        const auto verdict = policy.said(asked, session, machine.transaction().sender.domain);
        if (verdict.kind != VerdictKind::proceed) {
            machine.storage_failed(mail::checked(verdict));
            co_return;
        }
        header_ = edited(header_, asked.merged.effects);
    }
    begin(session, policy.transaction(), machine, header_);
    if (!listened_to(services_, worker_, *session.generation, Event::message_end)) header_.clear();
}

void InboundMessage::begin(const SessionFacts& session, const TransactionPolicy& policy, smtp::ServerSession& machine,
                           std::string_view header) {
    id_ = services_.spool.new_id();
    const auto& transaction = machine.transaction();
    MarkFacts facts;
    facts.settings = session.generation->settings.get();
    facts.connector = session.connector;
    facts.tls = session.tls;
    facts.outcome = &policy.outcome;
    facts.entry = policy.entry;
    facts.sender_domain = transaction.sender.domain;
    facts.domain =
        transaction.sender.empty ? std::string(policy::entry_domain(policy.entry)) : transaction.sender.domain;
    facts.null_sender = transaction.sender.empty;
    facts.own_sender = policy.own_sender_tagged;
    facts.keeps_marks = policy.keeps_marks();
    facts.extended = machine.extended();
    facts.smtputf8 = transaction.smtputf8;
    facts.helo = std::string(machine.helo());
    facts.remote_address = session.remote_address;
    facts.queue_id = id_;
    facts.now = std::chrono::system_clock::now();
    const auto marked = mark(facts, header);
    if (marked.refusal) {
        services_.log.warning("mail-refused", "session " + session.id + ": " + marked.refusal->lines.front());
        machine.storage_failed(*marked.refusal);
        return;
    }
    auto begun = services_.spool.begin();
    if (!begun) {
        services_.log.error("spool-failing", begun.error().text);
        machine.storage_failed(storage_reply(services_.spool.health()));
        return;
    }
    incoming_ = std::move(*begun);
    // Of the body the machine knows it; our own fields may hold what the peer's did not.
    eight_bit_header_ = std::any_of(marked.header.begin(), marked.header.end(),
                                    [](char c) { return static_cast<unsigned char>(c) > 127; });
    message_id_ = message_id_in(marked.header);
    if (store(marked.header, machine)) machine.header_stored();
}

void InboundMessage::body(smtp::ServerSession& machine) {
    if (store(machine.body(), machine)) machine.body_stored();
}

awaitable<queue::QueuedMessage> InboundMessage::envelope(const SessionFacts& session, const InboundPolicy& policy,
                                                         const smtp::ServerSession& machine) const {
    const auto& transaction = machine.transaction();
    queue::QueuedMessage message;
    message.id = id_;
    message.received = std::chrono::system_clock::now();
    message.sender = transaction.sender.empty ? std::string() : transaction.sender.address();
    message.connector = session.connector->name;
    message.session = session.id;
    message.message_id = message_id_;
    message.size = size_;
    message.eight_bit = eight_bit_header_ || transaction.has_bare_eight_bit;
    message.eight_bit_header = transaction.eight_bit_header;
    message.binary = transaction.body == smtp::Body::binary;
    message.smtputf8 = transaction.smtputf8;
    message.ret = transaction.ret;
    message.envid = transaction.envid;
    message.held = hold_.has_value();
    message.domain_secured = policy.transaction().outcome.domain_secured;
    const auto& settings = *session.generation->settings;
    std::unordered_map<std::string, std::size_t> places;
    message.known_sender = settings.accepted_domains.contains(transaction.sender.domain);
    for (std::size_t i = 0; i < transaction.recipients.size(); ++i) {
        const auto& path = transaction.recipients[i];
        queue::QueuedRecipient recipient;
        // <postmaster> without a domain is ours (RFC 5321 4.5.1).
        const auto own = settings.accepted_domains.empty() ? settings.fqdn : settings.accepted_domains.begin()->first;
        recipient.domain = path.domain.empty() ? own : path.domain;
        recipient.address = path.local_part + "@" + recipient.domain;
        recipient.requirement = co_await policy.outbound_requirement(session, machine, recipient.domain);
        recipient.next_attempt = message.received;
        recipient.route = reroute_;
        const auto accepted = settings.accepted_domains.find(recipient.domain);
        recipient.hold_late_reject = accepted != settings.accepted_domains.end() && accepted->second.late_reject_holds;
        recipient.notify = transaction.wishes.at(i).notify;
        recipient.orcpt = transaction.wishes.at(i).orcpt;
        // Who is named twice gets it once, and hears what was asked in either place.
        const auto [before, first] = places.emplace(recipient.address, message.recipients.size());
        if (first) {
            message.recipients.push_back(std::move(recipient));
        } else {
            auto& known = message.recipients[before->second];
            known.notify = mail::either_notify(known.notify, recipient.notify);
        }
    }
    co_return message;
}

awaitable<bool> InboundMessage::decide(const SessionFacts& session, InboundPolicy& policy,
                                       smtp::ServerSession& machine) {
    if (!listened_to(services_, worker_, *session.generation, Event::message_end)) co_return true;
    std::vector<Detail> details{{"queue_id", id_}, {"size", std::to_string(size_)}};
    const auto asked = co_await policy.ask_about(Event::message_end, session, machine, std::move(details), header_);
    auto verdict = policy.said(asked, session, machine.transaction().sender.domain);
    for (const auto& effect : asked.merged.effects) {
        if (effect.kind == EffectKind::hold) hold_ = effect.value;
        if (effect.kind == EffectKind::reroute) reroute_ = effect.name;
        if (effect.kind != EffectKind::discard || verdict.kind != VerdictKind::proceed) continue;
        services_.log.warning("discarded", "session " + session.id + " id=" + id_ + ": " + effect.value);
        services_.counters.add("postern_messages_discarded_total", label("connector", session.connector->name));
        discard();
        const mail::Reply taken{250, "2.6.0", "Message accepted as " + id_};
        machine.committed(taken);
        co_return false;
    }
    const auto& connectors = session.generation->settings->send_connectors;
    if (!reroute_.empty() &&
        std::ranges::find(connectors, reroute_, &config::SendConnector::name) == connectors.end()) {
        services_.log.error("plugin-failed", "session " + session.id + ": a policy reroutes to " + reroute_ +
                                                 ", which is no send connector");
        verdict = policy_failed(machine.transaction().sender.domain, session.id);
    }
    if (verdict.kind == VerdictKind::proceed) co_return true;
    discard();
    machine.committed(mail::checked(verdict));
    co_return false;
}

void InboundMessage::count(const SessionFacts& session, const TransactionPolicy& policy) {
    services_.counters.add("postern_messages_received_total", label("connector", session.connector->name));
    if (policy.outcome.domain_secured)
        services_.counters.add("postern_domain_secured_messages_received_total", label("domain", policy.entry));
    if (policy.outcome.by_exception)
        services_.counters.add("postern_passed_by_exception_total", label("domain", policy.counted_as()));
}

awaitable<void> InboundMessage::commit(const SessionFacts& session, InboundPolicy& policy,
                                       smtp::ServerSession& machine) {
    if (!incoming_) {
        machine.committed(storage_reply(services_.spool.health()));
        co_return;
    }
    if (!co_await decide(session, policy, machine)) co_return;
    auto message = co_await envelope(session, policy, machine);
    auto submit = [&queue = services_.queue, incoming = std::move(incoming_), &message](queue::Done done) mutable {
        queue.submit(std::move(incoming), std::move(message), std::move(done));
    };
    auto submitted = co_await told_later<Result<void>>(std::move(submit));
    if (!submitted) {
        services_.log.error("spool-failing", submitted.error().text);
        machine.committed(storage_reply(services_.spool.health()));
        co_return;
    }
    if (hold_) services_.log.warning("held", "id=" + id_ + ": " + *hold_ + "; postern queue release " + id_);
    count(session, policy.transaction());
    if (listened_to(services_, worker_, *session.generation, Event::queued)) {
        std::vector<Detail> details{{"queue_id", id_}, {"size", std::to_string(size_)}};
        (void)co_await policy.ask_about(Event::queued, session, machine, std::move(details));
    }
    const mail::Reply queued{250, "2.6.0", "Queued mail for delivery as " + id_};
    machine.committed(queued);
}

}  // namespace postern::net
