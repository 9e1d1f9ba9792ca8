#include <net/await.hpp>
#include <net/inbound.hpp>
#include <net/inbound_session.hpp>

namespace postern::net {

namespace {

using smtp::ServerDo;
using smtp::ServerPhase;

constexpr std::chrono::seconds write_time{60};
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

}  // namespace

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
    settings.chunking = connector.chunking;
    settings.dsn = connector.dsn;
    settings.smtputf8 = connector.smtputf8;
    settings.binary_mime = connector.binary_mime;
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

// One mistake is anybody's. Behind the second, each reply to one more comes late: who tries addresses or commands pays
// with time. In a crowd it would be we who pay.
awaitable<void> Inbound::slow_down(std::size_t offences) {
    if (!std::exchange(offended_, true)) --offences;
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer pause(executor);
    for (; offences > 0 && !verified_ && !admission_.draining && !admission_.crowded; --offences) {
        pause.expires_after(facts_.connector->tarpit);
        (void)co_await pause.async_wait(no_throw);
    }
}

awaitable<bool> Inbound::flush(bool last) {
    log_.received(machine_->take_heard());
    if (const auto offences = machine_->take_offences()) co_await slow_down(offences);
    auto output = machine_->take_output();
    if (output.empty()) co_return true;
    log_.sent(output);
    co_return co_await stream_->write(std::move(output), within(write_time), last);
}

// In a crowd the silent make room for others, at the end for all.
void Inbound::look_again() {
    if (!waiting_) return;
    hurried_ = true;
    stream_->interrupt();
}

// A connection may last so long, but a transfer that keeps moving is not cut. A command has its time in total: octets
// that drip in do not prolong it.
Deadline Inbound::read_deadline() {
    auto silence = facts_.connector->inactivity;
    if (admission_.crowded) silence = std::min(silence, facts_.connector->inactivity_under_load);
    const auto idle = within(silence);
    if (!machine_->in_transfer()) {
        if (std::exchange(taken_, machine_->taken()) != machine_->taken() || command_began_ == Deadline{})
            command_began_ = std::chrono::steady_clock::now();
        return std::min(command_began_ + silence, end_);
    }
    const std::chrono::seconds earned(60 + transferred_ / slow_octets_per_second);
    return std::min(idle, std::max(end_, transfer_began_ + earned));
}

awaitable<void> Inbound::read() {
    if (!co_await flush()) {
        machine_->peer_closed();
        co_return;
    }
    if (admission_.draining && !machine_->in_transfer() && !told_) {
        told_ = true;
        machine_->shut_down();
        co_return;
    }
    if (!held_.hold(machine_->held())) {
        machine_->refuse({421, "4.3.2", "memory is short for what you have begun, try again later"});
        co_return;
    }
    std::string octets;
    waiting_ = true;
    newer_generation();
    const auto came = co_await stream_->read(octets, read_deadline());
    waiting_ = false;
    if (std::exchange(hurried_, false) && came == Read::timed_out) co_return;  // by what holds now, once more
    switch (came) {
        case Read::data:
            if (machine_->in_transfer()) transferred_ += octets.size();
            machine_->feed_moved(std::move(octets));
            break;
        case Read::timed_out:
            machine_->timed_out();
            break;
        default:
            machine_->peer_closed();
    }
}

awaitable<void> Inbound::ask() {
    log_.received(machine_->take_heard());
    if (machine_->phase() == ServerPhase::mail) co_return co_await ask_mail();
    if (machine_->phase() == ServerPhase::recipient) co_return co_await ask_recipient();
    if (machine_->phase() == ServerPhase::data) {
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
    // Who speaks before the greeting does not listen.
    std::string early;
    if (machine_->phase() == ServerPhase::connect)
        stream_->poll(early) ? machine_->feed(early) : machine_->peer_closed();
    machine_->answer(verdict);
}

bool Inbound::beyond_rate() const {
    const auto most = facts_.connector->messages_per_source;
    if (most == 0 || verified_) return false;
    error_code error;
    const auto source = source_of(asio::ip::make_address(facts_.remote_address, error));
    return !services_.rates.take(source, most, std::chrono::steady_clock::now());
}

awaitable<void> Inbound::ask_mail() {
    take_up_generation();
    facts_.starttls_offered = machine_->starttls_was_offered();
    facts_.starttls_tried = machine_->starttls_was_tried();
    auto verdict = co_await policy_.mail(facts_, *machine_);
    if (policy_.transaction().proven() && !std::exchange(verified_, true)) admission_.verified();
    if (verdict.kind == VerdictKind::proceed && beyond_rate())
        verdict =
            Verdict::defer("more messages than a minute may bring from your address, try again later", "4.7.1", 450);
    if (verdict.kind == VerdictKind::proceed)
        log_.note(id_ + ";" + utc_text(std::chrono::system_clock::now()) + ";" + std::to_string(++messages_),
                  "receiving message");
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
            case ServerDo::send:
                if (!co_await flush()) machine_->peer_closed();
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
                co_await message_.commit(facts_, policy_, *machine_);
                break;
            case ServerDo::close:
                co_await flush(true);
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

awaitable<void> receive(Services& services, Worker& worker, tcp::socket socket, std::string connector,
                        Admission admission) {
    auto generation = worker.generation;
    const auto* found = generation->settings->receive_connector(connector);
    if (!found) co_return;
    auto stream = std::make_shared<Stream>(std::move(socket));
    auto session = std::make_unique<Inbound>(services, worker, std::move(stream), *found, std::move(admission));
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
