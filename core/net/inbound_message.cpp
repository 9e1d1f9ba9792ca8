#include <algorithm>
#include <net/await.hpp>
#include <net/inbound_message.hpp>

namespace postern::net {

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
    eight_bit_ |= std::any_of(octets.begin(), octets.end(), [](char c) { return static_cast<unsigned char>(c) > 127; });
    return true;
}

void InboundMessage::discard() {
    incoming_.reset();
    size_ = 0;
    eight_bit_ = false;
}

void InboundMessage::header(const SessionFacts& session, const TransactionPolicy& policy,
                            smtp::ServerSession& machine) {
    discard();
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
    facts.helo = std::string(machine.helo());
    facts.remote_address = session.remote_address;
    facts.queue_id = id_;
    facts.now = std::chrono::system_clock::now();
    const auto marked = mark(facts, machine.header());
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
    if (store(marked.header, machine)) machine.header_stored();
}

void InboundMessage::body(smtp::ServerSession& machine) {
    if (store(machine.body(), machine)) machine.body_stored();
}

queue::QueuedMessage InboundMessage::envelope(const SessionFacts& session, const InboundPolicy& policy,
                                              const smtp::ServerSession& machine) const {
    const auto& transaction = machine.transaction();
    queue::QueuedMessage message;
    message.id = id_;
    message.received = std::chrono::system_clock::now();
    message.sender = transaction.sender.empty ? std::string() : transaction.sender.address();
    message.connector = session.connector->name;
    message.session = session.id;
    message.size = size_;
    message.eight_bit = eight_bit_;
    message.domain_secured = policy.transaction().outcome.domain_secured;
    const auto& settings = *session.generation->settings;
    for (const auto& path : transaction.recipients) {
        queue::QueuedRecipient recipient;
        // <postmaster> without a domain is ours (RFC 5321 4.5.1).
        const auto own = settings.accepted_domains.empty() ? settings.fqdn : settings.accepted_domains.begin()->first;
        recipient.domain = path.domain.empty() ? own : path.domain;
        recipient.address = path.local_part + "@" + recipient.domain;
        recipient.requirement = policy.outbound_requirement(session, machine, recipient.domain);
        recipient.next_attempt = message.received;
        message.recipients.push_back(std::move(recipient));
    }
    return message;
}

awaitable<void> InboundMessage::commit(const SessionFacts& session, const InboundPolicy& policy,
                                       smtp::ServerSession& machine) {
    if (!incoming_) {
        machine.committed(storage_reply(services_.spool.health()));
        co_return;
    }
    auto message = envelope(session, policy, machine);
    auto incoming = std::move(incoming_);
    auto work = [&queue = services_.queue, raw = incoming.get(), &message] { return queue.submit(*raw, message); };
    auto submitted = co_await off_loop(services_.pool, std::move(work));
    if (!submitted) {
        services_.log.error("spool-failing", submitted.error().text);
        machine.committed(storage_reply(services_.spool.health()));
        co_return;
    }
    services_.counters.add("postern_messages_received_total", label("connector", session.connector->name));
    if (policy.transaction().outcome.domain_secured)
        services_.counters.add("postern_domain_secured_messages_received_total",
                               label("domain", policy.transaction().entry));
    if (policy.transaction().outcome.by_exception)
        services_.counters.add("postern_passed_by_exception_total", label("domain", policy.transaction().counted_as()));
    const mail::Reply queued{250, "2.6.0", "Queued mail for delivery as " + id_};
    machine.committed(queued);
}

}  // namespace postern::net
