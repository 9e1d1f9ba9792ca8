#include <net/await.hpp>
#include <net/inbound.hpp>
#include <net/inbound_message.hpp>

namespace postern::net {

namespace {

using smtp::ServerDo;
using smtp::ServerPhase;

constexpr std::chrono::seconds handshake_time{30}, write_time{60};
constexpr std::uint64_t slow_octets_per_second = 1024;

Event event_of(ServerPhase phase) {
    switch (phase) {
        case ServerPhase::connect:
            return Event::connection;
        case ServerPhase::helo:
            return Event::ehlo;
        case ServerPhase::starttls:
            return Event::starttls;
        case ServerPhase::auth:
            return Event::auth;
        default:
            return Event::data_start;
    }
}

class Inbound final : public GenerationHolder {
public:
    Inbound(Services& services, Worker& worker, std::shared_ptr<Stream> stream,
            const config::ReceiveConnector& connector, const std::atomic<bool>& draining)
        : services_(services),
          worker_(worker),
          stream_(std::move(stream)),
          draining_(draining),
          id_(new_session_id()),
          log_(services.plugins, connector.protocol_logging, false, connector.name, id_),
          policy_(services, worker, log_),
          message_(services, worker) {
        facts_.generation = worker.generation;
        facts_.connector = &connector;
        facts_.id = id_;
        facts_.remote_address = stream_->remote_address();
        machine_ = std::make_unique<smtp::ServerSession>(settings(), smtp::ServerPeer{facts_.remote_address, id_});
        worker_.holders.insert(this);
    }
    ~Inbound() { worker_.holders.erase(this); }
    Inbound(const Inbound&) = delete;
    Inbound& operator=(const Inbound&) = delete;

    awaitable<void> run();
    void newer_generation() override;

private:
    smtp::ServerSettings settings() const;
    void take_up_generation();
    awaitable<bool> flush();
    awaitable<void> read();
    awaitable<bool> start_tls();
    awaitable<void> choose_on_hello(TlsSession& tls, TlsServerOptions& options);
    awaitable<void> ask();
    awaitable<void> ask_recipient();
    awaitable<Asked> early(Event event, std::vector<Detail> details = {});
    void edit_extensions(const std::vector<Effect>& effects);
    Deadline read_deadline() const;

    Services& services_;
    Worker& worker_;
    std::shared_ptr<Stream> stream_;
    const std::atomic<bool>& draining_;
    std::string id_;
    ProtocolLog log_;
    InboundPolicy policy_;
    InboundMessage message_;
    SessionFacts facts_;
    std::unique_ptr<smtp::ServerSession> machine_;
    unsigned messages_ = 0;
    Deadline end_{}, transfer_began_{};
    std::uint64_t transferred_ = 0;
    bool in_data_ = false, told_ = false, waiting_ = false;
};

smtp::ServerSettings Inbound::settings() const {
    const auto& connector = *facts_.connector;
    smtp::ServerSettings settings;
    settings.fqdn = connector.fqdn;
    const bool ready = facts_.generation->providers->tls && facts_.generation->identity(connector);
    if (connector.auth_tls) settings.starttls = ready ? smtp::StartTls::offered : smtp::StartTls::unavailable;
    settings.size = connector.size;
    settings.pipelining = connector.pipelining;
    settings.eight_bit_mime = connector.eight_bit_mime;
    settings.enhanced_status_codes = connector.enhanced_status_codes;
    settings.limits = connector.limits;
    for (const auto& range : connector.bare_newline_normalize)
        settings.normalize_bare_newlines |= range.contains(facts_.remote_address);
    return settings;
}

// A transaction is judged under one generation from MAIL to its end; between two the newest is taken.
void Inbound::take_up_generation() {
    if (facts_.generation == worker_.generation) return;
    const auto* connector = worker_.generation->settings->receive_connector(facts_.connector->name);
    if (!connector) {
        machine_->shut_down();  // the connector is gone: nothing is left to judge this session by
        return;
    }
    facts_.generation = worker_.generation;
    facts_.connector = connector;
    machine_->settings(settings());
}

// Between two transactions, while the peer is silent. Of a connector that is gone the session learns at its next MAIL.
void Inbound::newer_generation() {
    if (facts_.generation == worker_.generation || !waiting_ || machine_->in_transaction()) return;
    if (worker_.generation->settings->receive_connector(facts_.connector->name)) take_up_generation();
}

awaitable<bool> Inbound::flush() {
    auto output = machine_->take_output();
    if (output.empty()) co_return true;
    // Whatever is said after 354 ends the data, also where the message was refused.
    const auto last = output.rfind("\r\n", output.size() - 3);
    if (!std::string_view(output).substr(last == std::string::npos ? 0 : last + 2).starts_with("354")) in_data_ = false;
    log_.sent(output);
    co_return co_await stream_->write(std::move(output), within(write_time));
}

// A connection may last so long, but a transfer that keeps moving is not cut.
Deadline Inbound::read_deadline() const {
    const auto idle = within(facts_.connector->inactivity);
    if (!in_data_) return std::min(idle, end_);
    const std::chrono::seconds earned(60 + transferred_ / slow_octets_per_second);
    return std::min(idle, std::max(end_, transfer_began_ + earned));
}

awaitable<void> Inbound::read() {
    if (!co_await flush()) {
        machine_->peer_closed();
        co_return;
    }
    if (draining_ && !in_data_ && !told_) {
        told_ = true;
        machine_->shut_down();
        co_return;
    }
    std::string octets;
    waiting_ = true;
    newer_generation();
    const auto came = co_await stream_->read(octets, read_deadline());
    waiting_ = false;
    switch (came) {
        case Read::data:
            if (in_data_) transferred_ += octets.size();
            else log_.received(octets);
            machine_->feed(octets);
            break;
        case Read::timed_out:
            machine_->timed_out();
            break;
        default:
            machine_->peer_closed();
    }
}

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
    auto* engine = facts_.generation->providers->tls;
    Outcome<Ref<TlsSession>> session = Failure{"role-missing", "the plugin tls-mutual is not loaded"};
    if (engine && options.identity) session = engine->accept(options);
    else if (engine)
        session = Failure{"no-own-certificate", "no certificate of ours fits " + facts_.connector->fqdn + " any more"};
    if (!session) {
        services_.log.error("handshake-failed", "session " + id_ + ": " + session.failure.text);
        co_return false;
    }
    auto tls = *session;
    Stream::Slow slow = [this, &options] {
        return facts_.generation->waits_for_token(options.identity) ? &services_.token_pool : nullptr;
    };
    Stream::OnHello on_hello = [this, &tls, &options] { return choose_on_hello(*tls, options); };
    const bool ok = co_await stream_->handshake(tls, within(handshake_time), std::move(slow), std::move(on_hello));
    services_.counters.add("postern_tls_handshakes_total",
                           labels({{"direction", "in"}, {"result", ok ? "ok" : "failed"}}));
    if (!ok) {
        services_.handshakes.failed(address);
        const auto why = tls->error().text.empty() ? std::string("the peer broke off") : tls->error().text;
        log_.note("TLS handshake failed", why);
        services_.log.warning("handshake-failed", "session " + id_ + " with " + address + ": " + why);
        std::vector<Detail> details{{"reason", why}};
        if (listened_to(services_, worker_, *facts_.generation, Event::tls_failed))
            (void)co_await early(Event::tls_failed, std::move(details));
        co_return false;
    }
    facts_.tls = &stream_->tls()->facts();
    log_.certificate("Sending certificate", facts_.generation->shown(*tls, options.identity));
    if (!facts_.tls->peer_chain.empty()) log_.certificate("Received certificate", facts_.tls->peer_chain.front());
    machine_->tls_established();
    if (listened_to(services_, worker_, *facts_.generation, Event::tls_established))
        (void)co_await early(Event::tls_established);
    co_return true;
}

awaitable<void> Inbound::ask() {
    if (machine_->phase() == ServerPhase::mail) {
        take_up_generation();
        facts_.starttls_offered = machine_->starttls_was_offered();
        facts_.starttls_tried = machine_->starttls_was_tried();
        auto verdict = co_await policy_.mail(facts_, *machine_);
        if (verdict.kind == VerdictKind::proceed)
            log_.note(id_ + ";" + utc_text(std::chrono::system_clock::now()) + ";" + std::to_string(++messages_),
                      "receiving message");
        machine_->answer(verdict);
        co_return;
    }
    if (machine_->phase() == ServerPhase::recipient) co_return co_await ask_recipient();
    if (machine_->phase() == ServerPhase::data) {
        in_data_ = true;
        transfer_began_ = std::chrono::steady_clock::now();
        transferred_ = 0;
    }
    const auto event = event_of(machine_->phase());
    Verdict verdict;
    if (listened_to(services_, worker_, *facts_.generation, event)) {
        std::vector<Detail> details;
        if (event == Event::data_start)
            details.push_back({"declared_size", std::to_string(machine_->transaction().declared_size)});
        if (event == Event::auth) details.push_back({"mechanism", std::string(machine_->auth_mechanism())});
        const auto asked = co_await early(event, std::move(details));
        if (event == Event::ehlo) edit_extensions(asked.merged.effects);
        verdict = asked.merged.verdict;
        if (event == Event::data_start) verdict = policy_.said(asked, facts_, machine_->transaction().sender.domain);
    }
    in_data_ &= verdict.kind == VerdictKind::proceed;
    machine_->answer(verdict);
}

awaitable<void> Inbound::ask_recipient() {
    bool unknown = false;
    const auto& path = machine_->transaction().asked;
    auto verdict = policy_.recipient(facts_, path, unknown);
    if (verdict.kind == VerdictKind::proceed && listened_to(services_, worker_, *facts_.generation, Event::recipient)) {
        std::vector<Detail> details{{"recipient", path.domain.empty() ? path.local_part : path.address()},
                                    {"recipient_domain", path.domain}};
        const auto asked = co_await policy_.ask_about(Event::recipient, facts_, *machine_, std::move(details));
        verdict = policy_.said(asked, facts_, machine_->transaction().sender.domain);
    }
    unknown ? machine_->answer_unknown_recipient(verdict) : machine_->answer(verdict);
}

// Before MAIL nobody knows whom a failure concerns: it is remembered, and MAIL answers.
awaitable<Asked> Inbound::early(Event event, std::vector<Detail> details) {
    auto asked = co_await policy_.ask_about(event, facts_, *machine_, std::move(details));
    if (!policy::find_event(event)->envelope) {
        facts_.plugin_failed |= asked.plugin_failed;
        facts_.script_failed |= asked.script_failed;
    }
    co_return asked;
}

void Inbound::edit_extensions(const std::vector<Effect>& effects) {
    std::vector<std::string> hidden, added;
    for (const auto& effect : effects) {
        if (effect.kind == EffectKind::hide_extension) hidden.push_back(effect.name);
        if (effect.kind == EffectKind::add_extension)
            added.push_back(effect.name + (effect.value.empty() ? "" : " " + effect.value));
    }
    machine_->edit_extensions(std::move(hidden), std::move(added));
}

awaitable<void> Inbound::run() {
    end_ = within(facts_.connector->connection_time);
    log_.endpoints(stream_->local(), stream_->remote());
    log_.connected();
    services_.counters.add("postern_sessions_total", label("connector", facts_.connector->name));
    for (bool open = true; open;) {
        switch (machine_->next()) {
            case ServerDo::read:
                co_await read();
                break;
            case ServerDo::ask:
                co_await ask();
                break;
            case ServerDo::start_tls:
                open = co_await start_tls();
                break;
            case ServerDo::header:
                co_await message_.header(facts_, policy_, *machine_);
                break;
            case ServerDo::body:
                message_.body(*machine_);
                break;
            case ServerDo::commit:
                in_data_ = false;
                co_await message_.commit(facts_, policy_, *machine_);
                break;
            case ServerDo::close:
                co_await flush();
                open = false;
        }
    }
    log_.disconnected({});
    stream_->close();
    if (listened_to(services_, worker_, *facts_.generation, Event::disconnect)) {
        std::vector<Detail> details{{"messages", std::to_string(messages_)}};
        (void)co_await early(Event::disconnect, std::move(details));
    }
}

}  // namespace

awaitable<void> receive(Services& services, Worker& worker, tcp::socket socket, std::string connector,
                        const std::atomic<bool>& draining) {
    auto generation = worker.generation;
    const auto* found = generation->settings->receive_connector(connector);
    if (!found) co_return;
    auto stream = std::make_shared<Stream>(std::move(socket));
    auto session = std::make_unique<Inbound>(services, worker, std::move(stream), *found, draining);
    generation.reset();  // the session holds it, and lets go of it when it takes up a newer one
    co_await session->run();
}

awaitable<void> turn_away(tcp::socket socket, std::string fqdn, std::string why) {
    auto stream = std::make_shared<Stream>(std::move(socket));
    std::string line = "421 " + fqdn + " " + why + "\r\n";
    co_await stream->write(std::move(line), within(std::chrono::seconds(5)));
    stream->close();
}

}  // namespace postern::net
