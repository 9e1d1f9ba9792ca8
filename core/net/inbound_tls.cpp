// STARTTLS on a receive connector: which certificate, whether the client's is asked for, and what is remembered of a
// handshake that broke.
#include <net/deciding.hpp>
#include <net/inbound_session.hpp>

namespace postern::net {

static constexpr std::chrono::seconds handshake_time{30};

// What the connector says, and what deciders add: a certificate of the configuration by name, and whether the client's
// is asked. Domain Security's own request is not taken back.
awaitable<void> Inbound::choose_on_hello(TlsSession& tls, TlsServerOptions& options) {
    std::vector<Detail> details{{"server_name", tls.facts().server_name}};
    const auto asked = co_await early(Event::client_hello, std::move(details));
    for (const auto& effect : asked.merged.effects) {
        if (effect.kind == EffectKind::request_certificate && !facts_.connector->domain_secure_enabled)
            options.request_client_certificate = effect.value == "yes";
        if (effect.kind != EffectKind::certificate) continue;
        if (auto identity = facts_.generation->identity(effect.name)) {
            options.identity = std::move(identity);
        } else {
            services_.log.error("plugin-failed",
                                "session " + id_ + ": a policy chose the certificate " + effect.name +
                                    ", which the configuration does not have; the connector's own is used");
            facts_.plugin_failed = true;
        }
    }
    facts_.certificate_requested = options.request_client_certificate;
    tls.choose({options.identity, options.request_client_certificate});
}

awaitable<bool> Inbound::start_tls() {
    if (!co_await flush()) co_return false;
    TlsServerOptions options;
    options.identity = facts_.generation->identity(*facts_.connector);
    const auto& address = facts_.remote_address;
    // After a broken handshake the next from there goes without our request, lest it broke because of that.
    options.request_client_certificate =
        facts_.connector->domain_secure_enabled && services_.handshakes.ask_for_certificate(address);
    facts_.certificate_requested = options.request_client_certificate;
    options.choose_on_hello = listened_to(services_, worker_, *facts_.generation, Event::client_hello);
    auto session = facts_.generation->accept(*facts_.connector, options);
    if (!session) {
        services_.log.error("handshake-failed", "session " + id_ + ": " + session.failure.text);
        co_return false;
    }
    auto tls = *session;
    Stream::Slow slow = [this, &options] {
        return facts_.generation->waits_for_token(options.identity) ? &services_.token_pool : nullptr;
    };
    Stream::OnHello on_hello = [this, &tls, &options] { return choose_on_hello(*tls, options); };
    // The library holds an unfinished message in records and as a whole.
    bool full = false;
    Stream::MayHold may_hold = [this, &full](std::size_t octets) { return !(full = !held_.hold(3 * octets)); };
    const bool ok = co_await stream_->handshake(tls, within(handshake_time), std::move(slow), std::move(on_hello),
                                                std::move(may_hold));
    services_.counters.add("postern_tls_handshakes_total",
                           labels({{"direction", "in"}, {"result", ok ? "ok" : "failed"}}));
    if (!ok) {
        if (!full) services_.handshakes.failed(address);
        auto why =
            tls->error().text.empty() ? std::string("the peer broke off, or sent far too much") : tls->error().text;
        if (full) why = "memory is short for what was begun";
        log_.note("TLS handshake failed", why);
        services_.log.warning("handshake-failed", "session " + id_ + " with " + address + ": " + why);
        std::vector<Detail> details{{"reason", why}};
        if (listened_to(services_, worker_, *facts_.generation, Event::tls_failed))
            (void)co_await early(Event::tls_failed, std::move(details));
        co_return false;
    }
    facts_.tls = &stream_->tls()->facts();
    if (facts_.tls->resumed) services_.counters.add("postern_tls_resumed_total", label("direction", "in"));
    log_.certificates(*facts_.tls, &facts_.generation->shown(*tls, options.identity));
    machine_->tls_established();
    if (listened_to(services_, worker_, *facts_.generation, Event::tls_established))
        (void)co_await early(Event::tls_established);
    co_return true;
}

}  // namespace postern::net
