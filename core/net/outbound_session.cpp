#include <algorithm>
#include <charconv>
#include <net/await.hpp>
#include <net/marks.hpp>
#include <net/outbound.hpp>
#include <net/outbound_session.hpp>
#include <net/provider_delivery.hpp>

namespace postern::net {

namespace {
using smtp::ClientDo;
constexpr std::size_t most_hosts = 10;
constexpr std::chrono::minutes most_time{5};
constexpr std::chrono::seconds connect_time{30}, handshake_time{30}, write_time{180};
constexpr std::size_t piece = 64u << 10;
}  // namespace

OutboundDelivery::OutboundDelivery(Services& services, Worker& worker, queue::Destination destination)
    : services_(services), worker_(worker), generation_(worker.generation), destination_(std::move(destination)) {
    const auto name = destination_.route.substr(smtp_route.size());
    for (const auto& connector : generation_->settings->send_connectors)
        if (connector.name == name) connector_ = &connector;
    if (!generation_->settings->accepted_domains.contains(destination_.domain))
        entry_ = generation_->settings->send_list.entry_for(destination_.domain);
}

void OutboundDelivery::fail(std::string token, std::string status, std::string text, bool permanent) {
    failure_ = smtp::ClientFailure{std::move(token), std::move(status), std::move(text), permanent};
}

awaitable<void> OutboundDelivery::require() {
    requirement_ = floor_for(*generation_->settings, entry_);
    // What was promised when the message was queued still holds, whatever the lists say now.
    requirement_.demand = policy::demand_of(destination_.requirement);
    if (connector_->tls_domain) {
        requirement_.demand.mutual = true;
        if (entry_.empty()) requirement_.partner.mutual_outbound = false;  // it proves its name; we need not prove ours
    }
    if (generation_->settings->accepted_domains.contains(destination_.domain)) co_return;
    if (!listened_to(services_, worker_, *generation_, Event::outbound_requirement)) co_return;
    const auto facts = outbound_facts();
    const auto asked = co_await ask_outbound(services_, worker_, generation_, Event::outbound_requirement, facts, {});
    const auto& demand = asked.merged.demand;
    if (demand) requirement_.demand = policy::strictest(requirement_.demand, *demand);
    if (requirement_.partner.enforcement_script && asked.replaces_floor) requirement_.floor_replaced = true;
    failure_ = refusal_of(asked, !entry_.empty());
}

OutboundFacts OutboundDelivery::outbound_facts() const {
    return {&*batch_, connector_->name, entry_, session_id_, remote_address_, nullptr};
}

// False: a decider refused; failure_ says why.
awaitable<bool> OutboundDelivery::allowed(Event event, std::vector<Detail> details, const TlsFacts* tls) {
    if (!batch_ || !listened_to(services_, worker_, *generation_, event)) co_return true;
    auto facts = outbound_facts();
    facts.tls = tls;
    const auto asked = co_await ask_outbound(services_, worker_, generation_, event, facts, std::move(details));
    auto refused = refusal_of(asked, !entry_.empty());
    if (refused) failure_ = std::move(refused);
    co_return !failure_;
}

// Names that deciders gave instead of mail exchangers or smart host. What the domain demands is not touched by them.
awaitable<std::vector<OutboundDelivery::Target>> OutboundDelivery::routed() {
    std::vector<Target> targets;
    if (!listened_to(services_, worker_, *generation_, Event::route)) co_return targets;
    const auto facts = outbound_facts();
    const auto asked = co_await ask_outbound(services_, worker_, generation_, Event::route, facts, {});
    failure_ = refusal_of(asked, !entry_.empty());
    for (const auto& effect : asked.merged.effects) {
        auto name = effect.name;
        auto port = connector_->port;
        if (const auto colon = name.rfind(':'); colon != std::string::npos && name.find(':') == colon) {
            const auto* end = name.data() + name.size();
            const auto read = std::from_chars(name.data() + colon + 1, end, port);
            if (read.ec != std::errc() || read.ptr != end || port == 0)
                failure_ = smtp::ClientFailure{"plugin-failed", "4.3.0",
                                               "a policy routes to " + name + ", which is no host:port"};
            name.resize(colon);
        }
        targets.push_back({std::move(name), port});
    }
    co_return targets;
}

bool OutboundDelivery::is_destination(const asio::ip::address& address) const {
    const bool v4_link_local = address.is_v4() && (address.to_v4().to_uint() >> 16) == 0xa9fe;
    const bool suspicious = address.is_loopback() || address.is_unspecified() || v4_link_local ||
                            (address.is_v6() && address.to_v6().is_link_local());
    if (!suspicious) return true;
    const auto text = address.to_string();
    return std::any_of(connector_->allow_destinations.begin(), connector_->allow_destinations.end(),
                       [&](const config::Range& range) { return range.contains(text); });
}

awaitable<std::vector<OutboundDelivery::Target>> OutboundDelivery::exchangers() {
    std::vector<Target> targets;
    auto answer = co_await services_.resolver.mail_hosts(destination_.domain);
    if (!answer) {
        fail({}, answer.failure.token, answer.failure.text, answer.failure.token.starts_with('5'));
        co_return targets;
    }
    auto names = std::move(*answer);
    // RFC 5321 5.1: ourselves, and what is no better than ourselves, would be a loop.
    const auto own =
        std::find_if(names.begin(), names.end(), [&](const MxHost& host) { return host.name == connector_->fqdn; });
    if (own != names.end()) {
        const auto preference = own->preference;
        std::erase_if(names, [&](const MxHost& host) { return host.preference >= preference; });
    }
    if (names.empty()) fail({}, "5.4.6", "all mail hosts of " + destination_.domain + " are ourselves", true);
    for (auto& name : names) targets.push_back({std::move(name.name), connector_->port});
    co_return targets;
}

awaitable<std::vector<OutboundDelivery::Host>> OutboundDelivery::hosts() {
    std::vector<Host> found;
    auto targets = co_await routed();
    if (failure_) co_return found;
    if (targets.empty() && connector_->smart_host) targets.push_back({*connector_->smart_host, connector_->port});
    if (targets.empty()) targets = co_await exchangers();
    for (const auto& target : targets) {
        auto addresses = co_await services_.resolver.addresses(target.name);
        if (!addresses) {
            fail({}, addresses.failure.token == "5.4.4" ? "4.4.4" : addresses.failure.token, addresses.failure.text);
            continue;
        }
        for (const auto& address : *addresses) {
            if (is_destination(address)) found.push_back({target.name, address, target.port});
            else
                fail({}, "4.4.4",
                     target.name + " is at " + address.to_string() +
                         ", which is no destination; see allow_destinations");
            if (found.size() == most_hosts) co_return found;
        }
    }
    co_return found;
}

awaitable<std::optional<smtp::ClientFailure>> OutboundDelivery::run(queue::Batch first) {
    batch_ = std::move(first);
    if (!connector_) {
        fail({}, "4.3.5", "no send connector has an address space for " + destination_.domain);
    } else {
        co_await require();
        const bool dns_or_via = !connector_->smart_host || requirement_.partner.via == connector_->name;
        if (!failure_ && !entry_.empty() && (!connector_->domain_secure_enabled || !dns_or_via)) {
            services_.alarms.raise("connector-not-secured", connector_->name,
                                   "mail for " + destination_.domain + " would leave by this send connector");
            fail("connector-not-secured", "4.7.0",
                 "the send connector " + connector_->name + " is not secured for listed domains");
        }
    }
    if (!failure_) {
        const auto until = within(most_time);
        const auto candidates = co_await hosts();
        for (const auto& host : candidates) {
            if (!batch_ || std::chrono::steady_clock::now() > until) break;
            failure_.reset();
            if (co_await try_host(host)) break;
            note_failure(host);
        }
        if (candidates.empty() && !failure_)
            fail({}, "4.4.1", "no mail host of " + destination_.domain + " can be reached");
    }
    if (!batch_) co_return std::nullopt;
    if (!failure_) fail({}, "4.4.1", "the connection ended");
    auto outcomes = same_for_all(*batch_, *failure_);
    co_await settle(services_, std::move(*batch_), std::move(outcomes), "none", "none");
    batch_.reset();
    co_return failure_;
}

void OutboundDelivery::note_failure(const Host& host) {
    if (entry_.empty() || !failure_ || envelope_travelled_) return;
    const auto reason = failure_->token.empty() ? std::string("connection") : failure_->token;
    services_.counters.add("postern_domain_secured_outbound_session_failures_total",
                           labels({{"domain", entry_}, {"reason", reason}}));
    if (!failure_->token.empty())
        services_.alarms.raise(
            "certificate-failure", entry_,
            host.name + " did not prove " + destination_.domain + ": " + failure_->token + ": " + failure_->text);
}

// True: no other host is to be tried for this batch.
awaitable<bool> OutboundDelivery::try_host(const Host& host) {
    remote_address_ = host.address.to_string();
    session_id_ = new_session_id();
    std::vector<Detail> details{{"host", host.name}, {"address", remote_address_}};
    if (!co_await allowed(Event::outbound_connect, std::move(details), nullptr)) co_return false;
    auto executor = co_await asio::this_coro::executor;
    tcp::socket socket(executor);
    error_code error;
    if (connector_->source_address) {
        socket.open(host.address.is_v6() ? tcp::v6() : tcp::v4(), error);
        socket.bind({asio::ip::make_address(*connector_->source_address, error), 0}, error);
    }
    asio::steady_timer timer(executor, connect_time);
    timer.async_wait([&socket](error_code cancelled) {
        if (!cancelled) socket.cancel(cancelled);
    });
    auto [failed] = co_await socket.async_connect({host.address, host.port}, no_throw);
    timer.cancel();
    if (failed) {
        fail({}, "4.4.1",
             host.name + "[" + host.address.to_string() + "]:" + std::to_string(host.port) + ": " + failed.message());
        co_return false;
    }
    auto stream = std::make_shared<Stream>(std::move(socket));
    ProtocolLog log(services_.plugins, connector_->protocol_logging, true, connector_->name, session_id_);
    log.endpoints(stream->local(), stream->remote());
    log.connected();
    const bool done = co_await converse(host, *stream, log);
    log.disconnected(failure_ ? failure_->text : std::string());
    stream->close();
    co_return done;
}

smtp::ClientSettings OutboundDelivery::client_settings() const {
    smtp::ClientSettings settings;
    settings.fqdn = connector_->fqdn;
    settings.lmtp = connector_->lmtp;
    const bool secured = requirement_.needs_tls() || pinned_ || connector_->tls_domain;
    settings.tls = secured ? smtp::TlsPolicy::required : smtp::TlsPolicy::opportunistic;
    settings.ask_peer = secured;
    settings.helo_allowed = !secured;
    const auto dot = destination_.domain.find('.');
    const bool below_listed =
        dot != std::string::npos && generation_->settings->send_list.has(destination_.domain.substr(dot + 1));
    if (!secured && batch_->clear_allowed && !below_listed) settings.tls = smtp::TlsPolicy::none;
    if (!secured && !generation_->providers->tls) settings.tls = smtp::TlsPolicy::none;
    return settings;
}

awaitable<bool> OutboundDelivery::converse(const Host& host, Stream& stream, ProtocolLog& log) {
    pinned_ = nullptr;
    for (const auto& server : generation_->settings->trusted_servers)
        for (const auto& name : server.hosts)
            if (name == host.name || name == host.address.to_string()) pinned_ = &server;
    outcome_ = {};  // what another host proved counts for nothing here
    envelope_travelled_ = false;
    greeted_ = false;
    smtp::ClientSession machine(client_settings());
    bool served = false;
    for (bool open = true; open;) {
        const auto what = machine.next();
        if (what == ClientDo::read || what == ClientDo::close || what == ClientDo::start_tls) {
            auto output = machine.take_output();
            if (what != ClientDo::close || !output.empty()) {
                if (!machine.in_body()) log.sent(output);
                if (!co_await stream.write(std::move(output), within(write_time)) && what != ClientDo::close)
                    machine.peer_closed();
            }
        }
        std::string octets;
        switch (what) {
            case ClientDo::read:
                switch (co_await stream.read(octets, within(machine.deadline()))) {
                    case Read::data:
                        log.received(octets);
                        machine.feed(octets);
                        break;
                    case Read::timed_out:
                        machine.timed_out();
                        break;
                    case Read::failed:
                        if (stream.tls() && stream.tls()->error().own_certificate_refused) {
                            const Failure alert{"own-certificate-refused", host.name + " refused our certificate (" +
                                                                               stream.tls()->error().alert + ")"};
                            machine.connection_refused_by_alert(alert);
                            break;
                        }
                        [[fallthrough]];
                    default:
                        machine.peer_closed();
                }
                break;
            case ClientDo::start_tls:
                co_await start_tls(host, stream, machine, log);
                break;
            case ClientDo::ask_peer:
                co_await ask_peer(host, stream, machine, log);
                break;
            case ClientDo::ready:
                co_await next_batch(host, stream, machine, log);
                break;
            case ClientDo::body:
                co_await send_body(machine);
                break;
            case ClientDo::finished:
                served = true;
                co_await finish(host, stream, machine);
                break;
            case ClientDo::close:
                open = false;
        }
    }
    if (machine.failure() && batch_) failure_ = machine.failure();
    // A connection that served once and then broke is not a reason to try the next host for what it had not begun.
    co_return !batch_ || served;
}

awaitable<void> OutboundDelivery::start_tls(const Host& host, Stream& stream, smtp::ClientSession& machine,
                                            ProtocolLog& log) {
    auto* engine = generation_->providers->tls;
    TlsClientOptions options;
    options.identity = generation_->identity(*connector_);
    error_code literal;
    asio::ip::make_address(host.name, literal);
    if (literal) options.server_name = host.name;
    if (requirement_.needs_mutual() && !options.identity && requirement_.partner.mutual_outbound) {
        services_.alarms.raise("own-certificate", connector_->name,
                               "no usable certificate for the send connector " + connector_->name);
        const Failure none{"no-own-certificate",
                           "no usable certificate of ours for the send connector " + connector_->name};
        machine.tls_failed(none);
        co_return;
    }
    Outcome<Ref<TlsSession>> session = Failure{"role-missing", "the plugin tls-mutual is not loaded"};
    if (engine) session = engine->connect(options);
    if (!session) {
        machine.tls_failed(session.failure);
        co_return;
    }
    auto tls = *session;
    Stream::Slow slow = [this, &options] {
        return generation_->waits_for_token(options.identity) ? &services_.token_pool : nullptr;
    };
    const bool ok = co_await stream.handshake(tls, within(handshake_time), std::move(slow));
    services_.counters.add("postern_tls_handshakes_total",
                           labels({{"direction", "out"}, {"result", ok ? "ok" : "failed"}}));
    if (!ok) {
        const auto& error = tls->error();
        const Failure why{
            error.own_certificate_refused ? "own-certificate-refused" : "handshake-failed",
            host.name + ": " + (error.text.empty() ? std::string("the peer broke off the handshake") : error.text)};
        services_.log.warning("handshake-failed", why.text);
        machine.tls_failed(why);
        co_return;
    }
    const auto& facts = stream.tls()->facts();
    if (options.identity && facts.own_certificate_sent)
        log.certificate("Sending certificate", generation_->shown(*tls, options.identity));
    if (!facts.peer_chain.empty()) log.certificate("Received certificate", facts.peer_chain.front());
    machine.tls_established();
}

awaitable<void> OutboundDelivery::ask_peer(const Host& host, Stream& stream, smtp::ClientSession& machine,
                                           ProtocolLog& log) {
    const auto& facts = stream.tls()->facts();
    const auto now = std::chrono::system_clock::now();
    if (pinned_) {
        if (trusted_server(*generation_->settings, &facts, now) == pinned_) {
            machine.peer_accepted();
            co_return;
        }
        const Failure other{"unknown-root",
                            host.name + " did not present the certificate pinned as trusted server " + pinned_->name};
        machine.peer_refused(other);
        co_return;
    }
    policy::Evidence evidence;
    evidence.outbound = true;
    evidence.connector_secured = connector_->domain_secure_enabled || entry_.empty();
    evidence.tls = &facts;
    evidence.own_certificate = facts.own_certificate_sent;
    const auto name = connector_->tls_domain ? *connector_->tls_domain : destination_.domain;
    co_await judge_peer(services_, generation_, requirement_, entry_, name, evidence);
    outcome_ = policy::weigh(requirement_, evidence, now);
    // Through a smart host the recipient domain itself is not proven: secured to that hop, never marked.
    if (connector_->smart_host) outcome_.domain_secured = false;
    const auto text = "outbound to " + host.name + ": " + judged_text(outcome_, evidence, name);
    log.decision(text);
    services_.log.info("judged", text);
    std::vector<Detail> details{
        {"standing", outcome_.passes ? (outcome_.by_exception ? "exception" : "passes") : "refused"},
        {"reason", outcome_.fault.token},
        {"sentence", outcome_.fault.sentence},
        {"client_name", outcome_.client_name},
        {"revocation", outcome_.revocation},
        {"host", host.name}};
    const bool accepted = co_await allowed(Event::peer_judged, std::move(details), &facts);
    if (outcome_.passes && !accepted) {
        const Failure refused{failure_->token, host.name + " for " + name + " " + failure_->text};
        machine.peer_refused(refused);
    } else if (outcome_.passes) {
        services_.alarms.end("certificate-failure", entry_);
        machine.peer_accepted();
    } else {
        const Failure fault{outcome_.fault.token, host.name + " for " + name + " " + outcome_.fault.sentence};
        machine.peer_refused(fault);
    }
}

awaitable<void> OutboundDelivery::next_batch(const Host& host, Stream& stream, smtp::ClientSession& machine,
                                             ProtocolLog& log) {
    if (!batch_) batch_ = services_.queue.claim(destination_, std::chrono::system_clock::now());
    if (!batch_) {
        machine.quit();
        co_return;
    }
    if (!std::exchange(greeted_, true)) {
        std::vector<Detail> details{{"host", host.name}, {"extensions", machine.extensions()}};
        const auto* tls = stream.tls() ? &stream.tls()->facts() : nullptr;
        if (!co_await allowed(Event::outbound_ehlo, std::move(details), tls)) {
            machine.quit();
            co_return;
        }
    }
    auto source = services_.spool.open(batch_->message.id);
    if (!source) {
        fail({}, "4.3.0", source.error().text);
        auto outcomes = same_for_all(*batch_, *failure_);
        co_await settle(services_, std::move(*batch_), std::move(outcomes), "none", "none");
        batch_.reset();
        machine.quit();
        co_return;
    }
    source_ = *source;
    offset_ = 0;
    smtp::ClientTransaction transaction;
    transaction.sender = batch_->message.sender;
    for (const auto index : batch_->which)
        transaction.recipients.push_back(batch_->message.recipients.at(index).address);
    transaction.size = batch_->message.size;
    transaction.eight_bit = batch_->message.eight_bit;
    log.note(session_id_ + ";" + utc_text(std::chrono::system_clock::now()) + ";" + std::to_string(++messages_),
             "sending message");
    envelope_travelled_ = true;
    machine.begin(std::move(transaction));
}

awaitable<void> OutboundDelivery::send_body(smtp::ClientSession& machine) {
    const bool marks_stay = connector_->internal || pinned_ || connector_->lmtp;
    // The header section has a limit on the way in; with our own fields it fits the first piece.
    const std::size_t want = offset_ == 0 ? 8 * piece : piece;
    std::string octets(want, '\0');
    auto work = [&] {
        return source_->read_at(offset_, {reinterpret_cast<std::uint8_t*>(octets.data()), octets.size()});
    };
    const auto count = co_await off_loop(services_.pool, std::move(work));
    if (!count) {
        services_.log.error("spool-damaged", batch_->message.id + ": " + count.failure.text);
        machine.body_unreadable();
        co_return;
    }
    octets.resize(*count);
    const bool first = offset_ == 0;
    offset_ += octets.size();
    if (first && !marks_stay) octets = without_marks(*generation_->settings, octets);
    machine.body_piece(octets, offset_ >= batch_->message.size || *count == 0);
}

awaitable<void> OutboundDelivery::finish(const Host& host, Stream& stream, smtp::ClientSession& machine) {
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
    const auto tls =
        stream.tls() ? stream.tls()->facts().protocol + " " + stream.tls()->facts().cipher : std::string("none");
    auto batch = std::move(*batch_);
    batch_.reset();
    source_ = {};
    co_await settle(services_, std::move(batch), outcomes,
                    host.name + "[" + host.address.to_string() + "]:" + std::to_string(host.port), tls);
}

}  // namespace postern::net
