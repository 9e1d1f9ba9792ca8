// One host of a destination: the connection, the handshake, and the judgement of the peer against the recipient domain,
// before anything of the envelope travels.
#include <net/outbound_session.hpp>
#include <net/partner_certificates.hpp>

namespace postern::net {

static constexpr std::chrono::seconds connect_time{30}, handshake_time{30};

// True: no other host is to be tried for this batch.
awaitable<bool> OutboundDelivery::try_host(const Host& host) {
    anew_ = continued_ = false;
    const bool done = co_await try_connection(host);
    if (done || !failed_by_continuing(host)) co_return done;
    anew_ = true;
    const bool done_anew = co_await try_connection(host);
    co_return done_anew;
}

// What was meant to save a handshake is never why mail waits, or goes in clear: a host that fails in a continued
// session, or whose certificate of then does not hold any more, has a whole handshake to show what it has now.
bool OutboundDelivery::failed_by_continuing(const Host& host) {
    if (!continued_ || !batch_ || std::chrono::steady_clock::now() > until_) return false;
    auto text = host.name + ": a whole handshake is made, since the resumed TLS session failed";
    if (failure_) text += ": " + failure_->token + ": " + failure_->text;
    services_.log.info("tls-anew", text);
    generation_->forget(tls_scope(host));
    failure_.reset();
    return true;
}

// All that a session must have in common with an earlier one to continue it; our certificate is known to the engine.
std::string OutboundDelivery::tls_scope(const Host& host) const {
    return connector_->name + ' ' + destination_.domain + ' ' + connector_->tls_domain.value_or("-") + ' ' + entry_ +
           ' ' + host.name + ' ' + std::to_string(host.port) + ' ' + (pinned_ ? pinned_->name : std::string("-")) +
           ' ' + policy::to_text(requirement_);
}

awaitable<bool> OutboundDelivery::try_connection(const Host& host) {
    remote_address_ = host.address.to_string();
    session_id_ = new_session_id();
    std::vector<Detail> details{{"host", host.name}, {"address", remote_address_}};
    if (!co_await allowed(Event::outbound_connect, std::move(details), nullptr)) co_return false;
    auto executor = co_await asio::this_coro::executor;
    tcp::socket socket(executor);
    error_code error;
    if (connector_->source_address) {
        const auto source = asio::ip::make_address(*connector_->source_address, error);
        socket.open(host.address.is_v6() ? tcp::v6() : tcp::v4(), error);
        if (!error) socket.bind({source, 0}, error);
        if (error) {
            fail({}, "4.3.5", "source_address " + *connector_->source_address + " cannot be used: " + error.message());
            co_return false;
        }
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
    settings.credentials = connector_->credentials;
    settings.reply_time = connector_->reply_time;
    const auto dot = destination_.domain.find('.');
    const bool below_listed =
        dot != std::string::npos && generation_->settings->send_list.has(destination_.domain.substr(dot + 1));
    if (!secured && batch_->clear_allowed && !below_listed) settings.tls = smtp::TlsPolicy::none;
    if (!secured && !generation_->providers->tls) settings.tls = smtp::TlsPolicy::none;
    return settings;
}

awaitable<void> OutboundDelivery::start_tls(const Host& host, Stream& stream, smtp::ClientSession& machine,
                                            ProtocolLog& log) {
    TlsClientOptions options;
    options.identity = identity_ = generation_->identity(*connector_);
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
    auto session = generation_->connect(options, tls_scope(host), anew_);
    if (!session) {
        machine.tls_failed(session.failure);
        co_return;
    }
    auto tls = session->session;
    continued_ = session->offers;  // until it is known better
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
    continued_ = facts.resumed;
    if (facts.resumed) services_.counters.add("postern_tls_resumed_total", label("direction", "out"));
    log.certificates(facts, options.identity ? &generation_->shown(*tls, options.identity) : nullptr);
    machine.tls_established();
}

const std::string& OutboundDelivery::name_to_prove() const {
    return connector_->tls_domain ? *connector_->tls_domain : destination_.domain;
}

policy::Evidence OutboundDelivery::evidence_of(const TlsFacts& facts) const {
    policy::Evidence evidence;
    evidence.outbound = true;
    evidence.connector_secured = connector_->domain_secure_enabled || entry_.empty();
    evidence.tls = &facts;
    evidence.own_certificate = facts.own_certificate_sent;
    return evidence;
}

// Of a connection that stood idle: what was revoked or has expired meanwhile ends it, and a new one is told why.
awaitable<bool> OutboundDelivery::still_proven(Stream& stream) {
    if (pinned_ || !stream.tls() || !(requirement_.needs_tls() || connector_->tls_domain)) co_return true;
    auto evidence = evidence_of(stream.tls()->facts());
    co_await judge_peer(services_, generation_, requirement_, entry_, name_to_prove(), evidence);
    co_return policy::weigh(requirement_, evidence, std::chrono::system_clock::now()).passes;
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
    auto evidence = evidence_of(facts);
    const auto& name = name_to_prove();
    co_await judge_peer(services_, generation_, requirement_, entry_, name, evidence);
    outcome_ = policy::weigh(requirement_, evidence, now);
    // Through a smart host the recipient domain itself is not proven: secured to that hop, never marked.
    if (connector_->smart_host) outcome_.domain_secured = false;
    const auto text = "outbound to " + host.name + ": " + judged_text(outcome_, evidence, name);
    log.decision(text);
    services_.log.info("judged", text);
    tell_of_certificate(services_, {entry_, name, connector_->name, host.name}, evidence, outcome_);
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

}  // namespace postern::net
