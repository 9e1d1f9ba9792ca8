// The loop over the ClientSession machine on one connection, and the batches that it takes from the queue while it is
// warm.
#include <algorithm>
#include <net/await.hpp>
#include <net/outbound.hpp>
#include <net/outbound_session.hpp>
#include <net/provider_delivery.hpp>

namespace postern::net {

using smtp::ClientDo;

static constexpr std::chrono::minutes longest_transaction{30};
static constexpr std::uint64_t slowest_octets_per_second = 1024;
static constexpr std::chrono::seconds probe_time{30};
static constexpr std::chrono::seconds brief_pause{1};
// So many deliveries of one connection may be repeated after a crash: they were made, and their record was under way.
static constexpr std::size_t most_unrecorded = 16;
static constexpr std::uint64_t sent_whole = 64u << 10;  // along with its envelope

awaitable<bool> OutboundDelivery::converse(const Host& host, Stream& stream, ProtocolLog& log) {
    pinned_ = nullptr;
    for (const auto& server : generation_->settings->trusted_servers)
        for (const auto& name : server.hosts)
            if (name == host.name || name == host.address.to_string()) pinned_ = &server;
    outcome_ = {};  // what another host proved counts for nothing here
    envelope_travelled_ = greeted_ = served_ = false;
    identity_ = {};
    // What was judged at its beginning - certificates, revocation - is judged anew at the latest then.
    lives_until_ = within(connector_->connection_life);
    once_ = batch_->clear_allowed;
    smtp::ClientSession machine(client_settings());
    renew_deadlines(machine);
    for (bool open = true; open;) {
        const auto what = machine.next();
        if (what != ClientDo::ready && what != ClientDo::finished) co_await flush(stream, machine, log, what);
        switch (what) {
            case ClientDo::read:
                co_await read(host, stream, machine, log);
                break;
            case ClientDo::start_tls:
                co_await start_tls(host, stream, machine, log);
                renew_deadlines(machine);
                break;
            case ClientDo::ask_peer:
                co_await ask_peer(host, stream, machine, log);
                renew_deadlines(machine);
                break;
            case ClientDo::ready:
                co_await next_batch(host, stream, machine, log);
                break;
            case ClientDo::body:
                co_await send_body(stream, machine, log);
                break;
            case ClientDo::finished:
                co_await finish(host, stream, machine);
                break;
            case ClientDo::close:
                open = false;
        }
    }
    if (machine.failure() && batch_) failure_ = machine.failure();
    // A connection that served once and then broke is not a reason to try the next host for what it had not begun.
    co_return !batch_ || served_;
}

// Nothing that a server does or leaves undone keeps a connection for ever: a reply has its time in total, however it
// drips, and so has a whole transaction.
void OutboundDelivery::renew_deadlines(const smtp::ClientSession& machine) {
    replies_seen_ = machine.replies();
    reply_until_ = within(machine.deadline());
    if (!envelope_travelled_) transaction_until_ = std::max(until_, reply_until_);
}

awaitable<void> OutboundDelivery::flush(Stream& stream, smtp::ClientSession& machine, ProtocolLog& log, ClientDo what) {
    log.sent(machine.take_said());
    auto output = machine.take_output();
    if (output.empty()) co_return;
    // RFC 5321 4.5.3.2.5 has 3 minutes for what a server reads where MAIL has 5; however slowly it does, in total too.
    const auto until = std::min(within(connector_->reply_time * 3 / 5), transaction_until_);
    const bool written = co_await stream.write(std::move(output), until);
    const bool late = std::chrono::steady_clock::now() >= until;
    if (!written && what != ClientDo::close) late ? machine.timed_out() : machine.peer_closed();
    renew_deadlines(machine);
}

awaitable<void> OutboundDelivery::read(const Host& host, Stream& stream, smtp::ClientSession& machine,
                                       ProtocolLog& log) {
    if (machine.replies() != replies_seen_) renew_deadlines(machine);
    std::string octets;
    switch (co_await stream.read(octets, std::min(reply_until_, transaction_until_))) {
        case Read::data:
            log.received(octets);
            machine.feed(octets);
            break;
        case Read::timed_out:
            machine.timed_out();
            break;
        case Read::failed:
            if (stream.tls() && stream.tls()->error().own_certificate_refused) {
                const Failure alert{"own-certificate-refused",
                                    host.name + " refused our certificate (" + stream.tls()->error().alert + ")"};
                machine.connection_refused_by_alert(alert);
                break;
            }
            [[fallthrough]];
        default:
            machine.peer_closed();
    }
}

// What is due later goes under the configuration and the certificate that hold then, over a connection of its own.
bool OutboundDelivery::may_go_on() const {
    if (!served_) return true;
    return !once_ && worker_.generation == generation_ && std::chrono::steady_clock::now() < lives_until_ &&
           (!identity_ || generation_->identity(*connector_).get() == identity_.get());
}

bool OutboundDelivery::claim_next() {
    if (may_go_on()) batch_ = services_.queue.claim(destination_, std::chrono::system_clock::now());
    return batch_.has_value();
}

void OutboundDelivery::newer_generation() {
    if (waiting_) waiting_->interrupt();
}

// Stands idle until its destination has mail again: batch_, or woken to look for it behind a RSET. False: its time is
// over, the peer has closed or spoken unasked, or all end.
awaitable<bool> OutboundDelivery::more_comes(Stream& stream) {
    if (connector_->keep_idle.count() == 0 || !may_go_on()) co_return false;
    struct Waiting {
        Stream* stream;  // null: it waits no longer
    };
    auto waiting = std::make_shared<Waiting>(Waiting{&stream});
    auto executor = co_await asio::this_coro::executor;
    auto wake = [executor, waiting] {
        asio::post(executor, [waiting] {
            if (waiting->stream) waiting->stream->interrupt();
        });
    };
    const auto ticket = services_.warm.enter(destination_, std::move(wake));
    if (!ticket) co_return false;
    // What came in since the last look was left to us.
    if (claim_next()) {
        waiting->stream = nullptr;
        services_.warm.leave(*ticket);
        co_return true;
    }
    waiting_ = &stream;
    worker_.holders.insert(this);
    std::string unasked;
    const auto ended = co_await stream.read(unasked, std::min(within(connector_->keep_idle), lives_until_));
    worker_.holders.erase(this);
    waiting_ = waiting->stream = nullptr;
    const bool woken = !services_.warm.leave(*ticket);
    co_return woken&& ended == Read::timed_out && !services_.warm.ended();
}

awaitable<void> OutboundDelivery::next_batch(const Host& host, Stream& stream, smtp::ClientSession& machine,
                                             ProtocolLog& log) {
    if (!batch_ && !claim_next()) {
        log.flush();  // whoever reads it need not wait for the connection's end
        const auto since = std::chrono::steady_clock::now();
        const bool comes = served_ && co_await more_comes(stream);
        // So soon the peer is still there, and what it proved still holds.
        if (comes && !batch_ && std::chrono::steady_clock::now() - since < brief_pause) (void)claim_next();
        if (!batch_) {
            const bool good = comes && may_go_on() && co_await still_proven(stream);
            if (!good) machine.quit();
            else {
                transaction_until_ = within(probe_time);
                machine.probe();
            }
            co_return;
        }
    }
    if (!std::exchange(greeted_, true)) {
        std::vector<Detail> details{{"host", host.name}, {"extensions", machine.extensions()}};
        const auto* tls = stream.tls() ? &stream.tls()->facts() : nullptr;
        if (!co_await allowed(Event::outbound_ehlo, std::move(details), tls)) {
            machine.quit();
            co_return;
        }
    }
    auto transaction = transaction_of(*batch_);
    if (!co_await open_body(machine, transaction)) {
        served_ |= failure_->token != "spool-damaged";
        auto outcomes = same_for_all(*batch_, *failure_);
        co_await settle(services_, std::move(*batch_), std::move(outcomes), relay(host), "none");
        batch_.reset();
        co_return;
    }
    log.note(session_id_ + ";" + utc_text(std::chrono::system_clock::now()) + ";" + std::to_string(++messages_),
             "sending message");
    envelope_travelled_ = true;
    const std::chrono::seconds for_octets(body_->size() / slowest_octets_per_second);
    transaction_until_ = within(longest_transaction + for_octets);
    machine.begin(std::move(transaction));
}

smtp::ClientTransaction OutboundDelivery::transaction_of(const queue::Batch& batch) {
    const auto& message = batch.message;
    smtp::ClientTransaction transaction;
    transaction.sender = message.sender;
    for (const auto index : batch.which) {
        const auto& one = message.recipients.at(index);
        transaction.recipients.push_back({one.address, one.notify, one.orcpt});
    }
    transaction.eight_bit = message.eight_bit;
    transaction.binary = message.binary;
    transaction.smtputf8 = message.smtputf8;
    transaction.utf8_header = message.eight_bit_header;
    transaction.ret = message.ret;
    transaction.envid = message.envid;
    return transaction;
}

// What the server takes decides how the message goes. False: it cannot go, failure_ says why.
awaitable<bool> OutboundDelivery::open_body(const smtp::ClientSession& machine, smtp::ClientTransaction& transaction) {
    const bool eight_bit = machine.peer_offers("8BITMIME");
    const bool binary = machine.peer_offers("BINARYMIME") && machine.wants_chunks();
    std::optional<mail::Taken> convert_for;
    if (transaction.eight_bit && !eight_bit) convert_for = mail::Taken::seven_bit;
    else if (transaction.binary && !binary) convert_for = eight_bit ? mail::Taken::eight_bit : mail::Taken::seven_bit;
    // Nobody may make ASCII of an internationalised message (RFC 6531 3.6); the machine says so.
    if (transaction.smtputf8 && transaction.utf8_header && !machine.peer_offers("SMTPUTF8")) convert_for.reset();
    const bool marks_stay = connector_->internal || pinned_ || connector_->lmtp;
    std::optional<Failure> failed;
    auto source = services_.spool.at_hand(batch_->message.id);
    const bool at_hand = source && !convert_for;
    auto work = [&] {
        if (!source) {
            auto opened = services_.spool.open(batch_->message.id);
            if (!opened) {
                failed = Failure{std::string(opened.error().id), opened.error().text};
                return true;
            }
            source = *opened;
        }
        body_ = std::make_unique<OutboundBody>(source, batch_->message.size,
                                               marks_stay ? nullptr : generation_->settings.get());
        failed = body_->prepare(convert_for);
        if (failed || body_->size() > sent_whole) return true;
        std::string whole;
        while (!failed && !body_->ended()) {
            auto octets = body_->next();
            if (!octets) failed = octets.failure;
            else whole += *octets;
        }
        transaction.whole = std::move(whole);
        return true;
    };
    if (at_hand) (void)work();
    else co_await off_loop(services_.pool, std::move(work));
    if (failed && failed->token == "unfit") {
        fail({}, "5.6.3",
             "the server takes no " + std::string(eight_bit ? "binary" : "8-bit") +
                 " messages, and this one cannot be converted: " + failed->text,
             true);
        co_return false;
    }
    if (failed) {
        services_.log.error(failed->token, batch_->message.id + ": " + failed->text);
        fail({}, "4.3.0", "the message could not be read from the spool: " + failed->text);
        co_return false;
    }
    transaction.size = body_->size();
    transaction.binary &= !convert_for;
    if (convert_for == mail::Taken::seven_bit) transaction.eight_bit = false;
    co_return true;
}

awaitable<void> OutboundDelivery::send_body(Stream& stream, smtp::ClientSession& machine, ProtocolLog& log) {
    std::string early;
    if (!stream.poll(early)) {
        machine.peer_closed();
        co_return;
    }
    if (!early.empty()) {
        log.received(early);
        machine.feed(early);
        if (machine.next() != ClientDo::body) co_return;
    }
    Outcome<std::string> octets = Failure{};
    if (auto cached = body_->next_at_once()) {
        octets = std::move(*cached);
    } else {
        auto work = [&] {
            octets = body_->next();
            return true;
        };
        co_await off_loop(services_.pool, std::move(work));
    }
    if (!octets) {
        services_.log.error("spool-damaged", batch_->message.id + ": " + octets.failure.text);
        machine.body_unreadable();
        co_return;
    }
    machine.body_piece(*octets, body_->ended());
}

std::string OutboundDelivery::relay(const Host& host) {
    return host.name + "[" + host.address.to_string() + "]:" + std::to_string(host.port);
}

awaitable<void> OutboundDelivery::finish(const Host& host, Stream& stream, smtp::ClientSession& machine) {
    body_.reset();
    // The connection ended before the message was sent: nobody has refused it, nobody may have it.
    if (machine.failure() && !machine.message_sent()) {
        if (!served_) co_return;  // the next host may take it
        services_.queue.release(*batch_);
        batch_.reset();
        co_return;
    }
    served_ = true;
    const auto outcomes = machine.outcomes();
    const bool accepted =
        std::any_of(outcomes.begin(), outcomes.end(), [](const auto& one) { return one.kind == VerdictKind::proceed; });
    if (accepted && outcome_.domain_secured)
        services_.counters.add("postern_domain_secured_messages_sent_total", label("domain", entry_));
    if (accepted && batch_->clear_allowed && !stream.tls()) services_.counters.add("postern_opportunistic_clear_total");
    if (accepted && !entry_.empty() && connector_->smart_host)
        services_.counters.add("postern_hop_secured_messages_sent_total", label("domain", entry_));
    if (accepted && outcome_.by_exception)
        services_.counters.add("postern_passed_by_exception_total", label("domain", entry_));
    // A server that takes nothing in a continued session may have lost sight of our certificate: next time it gets it.
    if (!accepted && continued_) generation_->forget(tls_scope(host));
    const auto tls =
        stream.tls() ? stream.tls()->facts().protocol + " " + stream.tls()->facts().cipher : std::string("none");
    auto batch = std::move(*batch_);
    batch_.reset();
    co_await settle_behind(std::move(batch), outcomes, relay(host), tls);
}

awaitable<void> OutboundDelivery::settle_behind(queue::Batch batch, std::vector<smtp::RecipientOutcome> outcomes,
                                                std::string relay, std::string tls) {
    co_await recorded_to(most_unrecorded - 1);
    ++unrecorded_->count;
    auto executor = co_await asio::this_coro::executor;
    auto recorded = [unrecorded = unrecorded_, executor] {
        tell_loop(executor, [unrecorded] {
            --unrecorded->count;
            unrecorded->fewer.cancel();
        });
    };
    services_.queue.settle(batch, outcomes, relay, tls, std::move(recorded));
    announce_results(services_, batch, outcomes, relay);
}

awaitable<void> OutboundDelivery::recorded_to(std::size_t most) {
    while (unrecorded_->count > most) {
        unrecorded_->fewer.expires_at(asio::steady_timer::time_point::max());
        (void)co_await unrecorded_->fewer.async_wait(no_throw);
    }
}

}  // namespace postern::net
